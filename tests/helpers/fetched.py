"""``python -m helpers.fetched``, in tests/: fetch packages of npm for tests, which ask no network themselves."""

from common.elsewhere import web_runtime


def main():
    print(web_runtime.package())


if __name__ == "__main__":
    main()
