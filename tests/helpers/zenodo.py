"""A played Zenodo."""

import hashlib
import io
import json
import zipfile

from helpers.misbehaving import MisbehavingServer

CONCEPT = "/api/records/6393487"


def zipped(folder, top="sdss-gs", only=None):
    """Zip a folder's files under another top folder."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if path.is_file() and (only is None or name.parts[0] in only):
                archive.write(path, f"{top}/{name}" if top else str(name))
    return target.getvalue()


class Zenodo(MisbehavingServer):
    """Records as Zenodo writes them, newest last."""

    def __init__(self):
        super().__init__()
        self.records, self.form = [], "list"

    def publish(self, number, version, archives):
        """Add a version: archive names to bytes."""
        files = []
        for name, body in archives.items():
            path = f"/api/records/{number}/files/{name}/content"
            self.files[path] = body
            links = {"self": f"https://zenodo.org{path}"}
            if self.form == "entries":
                links = {"self": f"https://zenodo.org{path.removesuffix('/content')}", "content": links["self"]}
            checksum = f"md5:{hashlib.md5(body).hexdigest()}"
            files.append({"key": name, "size": len(body), "checksum": checksum, "links": links})
        self.records.append(
            {
                "id": number if self.form == "list" else str(number),
                "conceptrecid": "6393487",
                "doi": f"10.5281/zenodo.{number}",
                "metadata": {"version": version, "publication_date": "2022-04-28"},
                "files": files if self.form == "list" else {"enabled": True, "entries": {f["key"]: f for f in files}},
            }
        )
        newest, said = f"/api/records/{number}", json.dumps(self.records[-1]).encode()
        hits = json.dumps({"hits": {"hits": self.records[::-1], "total": len(self.records)}}).encode()
        self.files |= {newest: said, f"{newest}/versions": hits}
        self.redirects[CONCEPT] = newest
        return self

    def bodies(self):
        """Requests for archives."""
        return [request for request in self.requests if request.path.endswith("/content")]
