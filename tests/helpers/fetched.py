"""``python -m helpers.fetched``, in tests/: fetch packages of npm for tests, which ask no network themselves."""

from common.elsewhere.web_runtime import RUNTIME
from helpers.axe import AXE


def main():
    for package in (RUNTIME, AXE):
        print(package.fetched())


if __name__ == "__main__":
    main()
