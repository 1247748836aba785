"""axe-core, which finds what keeps people from using a page; `helpers.fetched` fetches it, for tests only."""

import tarfile
from functools import lru_cache

from common.elsewhere.npm import Package
from helpers import needed

AXE = Package(
    "axe-core",
    "4.14.1",
    708_405,
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
)
ARCHIVE = AXE.cached()
"""Where ``.ci/run`` puts the package; asked before a test has a cache of its own."""
SCRIPT = "package/axe.min.js"
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice")
RUN = """
const [rules, done] = arguments;
axe.run(document, { runOnly: rules, resultTypes: ["violations"] }).then(
  ({ violations }) => done(violations.flatMap(({ id, help, nodes }) =>
    nodes.map((node) => `${id}: ${help}: ${node.target}`)
  )),
  (error) => done([String(error)]),
);
"""


@lru_cache
def script():
    with tarfile.open(ARCHIVE) as archive:
        return archive.extractfile(SCRIPT).read().decode()


def violations(browser):
    """What axe finds on the page that a browser shows, a line for each: rule, what is wanted, where."""
    needed.fetched(ARCHIVE)
    if not browser.execute_script("return 'axe' in window"):
        browser.execute_script(script())
    return browser.execute_async_script(RUN, list(RULES))
