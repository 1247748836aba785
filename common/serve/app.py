"""The service: what is asked under which address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles

from common.models.model import Model
from common.runs.store_location import PICTURE, REPORT
from common.serve import batch, tables, uploads
from common.serve.access import Guard
from common.serve.answers import predicted, signed, with_pdf
from common.serve.contributions import predicted_with_each
from common.serve.limits import Limits, Workers
from common.serve.objects import Objects
from common.serve.refusals import say_what_fails
from common.serve.served_models import CARD, ServedModel
from common.serve.similar import MOST_NEIGHBOURS, Similar, usual_model
from sdss_gs import __version__

STATIC = Path(__file__).parent / "static"
CARD_FORMATS = {"markdown": (CARD, "text/markdown"), "html": (REPORT, "text/html"), "png": (PICTURE, "image/png")}
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
"""A report is one file that holds its style and pictures, and runs nothing."""
BODIES = {
    "application/json": {"schema": batch.SCHEMA, "example": batch.EXAMPLE},
    "multipart/form-data": {"schema": uploads.SCHEMA},
}


def make_app(
    served: Mapping[str, ServedModel],
    objects: Objects | None,
    limits: Limits | None = None,
    hosts: set[str] | None = None,
    token: str = "",
) -> FastAPI:
    """Make the service.

    Parameters
    ----------
    served : mapping of str to ServedModel
        Models by name.
    objects : Objects or None
        The data set.
    limits : Limits, optional
        Of a request's body, rows and time, and of predictions at once.
    hosts : set of str, optional
        Names by which the service may be called; any by default.
    token : str
        What clients must know; empty: nothing.

    Returns
    -------
    FastAPI
        Its ``state.workers`` must be closed in the end.
    """
    limits = limits or Limits()
    # FastAPI's own /docs loads its scripts from the internet; `static/docs.html` shows the same description.
    app = FastAPI(
        title="SDSS zoo", version=__version__, docs_url=None, redoc_url=None,
        description="Redshift, stellar mass, sub-class and morphology of galaxies, with error bars.",
    )  # fmt: skip
    app.state.workers = Workers(limits)
    app.add_middleware(Guard, limits=limits, hosts=hosts or set(), token=token)
    say_what_fails(app)
    # The first that fits a path is taken: what is asked most often is looked for first.
    _add_answers(app, served, objects)
    _add_tables_and_neighbours(app, served, objects)
    _add_models(app, served, objects)
    _add_objects(app, objects)
    _add_pages(app)
    return app


def _add_pages(app: FastAPI) -> None:
    app.mount("/static", StaticFiles(directory=STATIC))
    for path, file in {"/": "index.html", "/docs": "docs.html", "/favicon.ico": "icon.svg"}.items():
        app.add_route(path, lambda _request, file=file: FileResponse(STATIC / file), include_in_schema=False)


def _add_models(app: FastAPI, served: Mapping[str, ServedModel], objects: Objects | None) -> None:
    @app.get("/healthz")
    async def health() -> dict:
        """Tell that the service lives, and how many predictions run or wait."""
        return {
            "status": "ok",
            "models": len(served),
            "objects": len(objects) if objects else 0,
            "data": objects.name if objects else None,
            "predictions": app.state.workers.jobs,
        }

    @app.get("/models")
    async def models() -> dict:
        """List the models: input, output, unit, classes, version, weights (SHA-256), runtime, scores, columns, run."""
        return {"models": [one.description() for one in served.values()]}

    @app.get("/models/{model}/card")
    def card(model: str, format: str = "markdown") -> Response:
        """Show a model's card: Markdown; with ``format=png`` its picture, with ``format=html`` the run's report."""
        files = _served(served, model).files
        if format not in CARD_FORMATS:
            raise HTTPException(422, f"format: expected {', '.join(CARD_FORMATS)}, found {format[:40]!r}")
        name, media = CARD_FORMATS[format]
        if name not in files or not files[name].is_file():
            raise HTTPException(404, f"{model}: has no {name}")
        policy = {"Content-Security-Policy": REPORT_POLICY} if name == REPORT else None
        return Response(files[name].read_bytes(), headers=policy, media_type=media)


def _add_objects(app: FastAPI, objects: Objects | None) -> None:
    @app.get("/random/id")
    def random_id(input: str = "") -> dict:
        """Return the id of any galaxy of the data set; with ``input=img`` of any that has one."""
        return {"objid": _present(objects).random(input)}

    @app.get("/objects/{objid}")
    def about(objid: str) -> dict:
        """Tell what is known about a galaxy: true values, magnitudes, inputs, and whether models learnt from it."""
        return _present(objects).about(objid)

    @app.get("/objects/{objid}/image.jpg", response_class=Response)
    def image(objid: str) -> Response:
        """Show a galaxy's image."""
        return Response(_present(objects).image(objid), media_type="image/jpeg")

    @app.get("/objects/{objid}/cutouts.png", response_class=Response)
    def cutouts(objid: str) -> Response:
        """Show a galaxy in u, g, r, i and z, side by side."""
        return Response(_present(objects).bands(objid), media_type="image/png")

    @app.get("/objects/{objid}/spectrum.json")
    def spectrum(objid: str) -> Response:
        """Return a galaxy's spectrum: wavelength in Å, observed flux and best fit."""
        return JSONResponse(_present(objects).spectrum(objid))


class Straight(APIRoute):
    """A route that calls its function with the model's name and the request, as FastAPI would in more time."""

    def get_route_handler(self) -> Callable:
        """Return what answers a request."""

        async def handle(request: Request) -> Response:
            return await self.endpoint(request.path_params["model"], request)

        return handle


def _add_answers(app: FastAPI, served: Mapping[str, ServedModel], objects: Objects | None) -> None:
    workers = app.state.workers

    # Answers are written as JSON by the threads that predict. FastAPI would look at each value of a dict once more.
    async def predict(model: str, request: Request) -> Response:
        """Predict what is sent: rows of named magnitudes or arrays as JSON (``results``), or one file as a form.

        With ``pdf`` also distributions, whose ``grids`` (borders of bins) or ``levels`` stand in the answer once.
        """
        network = _served(served, model).model
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "multipart/form-data":
            upload = await uploads.read_form(request)
            asked = with_pdf(network, upload.pdf)
            return await workers.run(
                lambda: JSONResponse(signed(asked, predicted(asked, uploads.read_upload(asked, upload))[0]))
            )
        if kind != "application/json":
            expected = "application/json or multipart/form-data"
            raise HTTPException(415, f"content-type: expected {expected}, found {kind[:60]!r}")
        body = await request.body()
        return await workers.run(lambda: _answer(network, body, workers.limits.rows))

    app.router.add_api_route(
        "/predict/{model}", predict, methods=["POST"], response_model=dict, route_class_override=Straight,
        openapi_extra={"requestBody": {"required": True, "content": BODIES}},
    )  # fmt: skip

    @app.get("/infer/{model}/{objid}", response_model=dict)
    async def infer(model: str, objid: str, pdf: str = Query("", json_schema_extra=batch.PDF_SCHEMA)) -> Response:
        """Predict a galaxy of the data set; ``pdf`` as for ``/predict/{model}``.

        A model of several inputs also says, as ``from_each_input``, what it predicts from each of them alone.
        """
        network, present = with_pdf(_served(served, model).model, pdf), _present(objects)
        present.find(objid)
        return await workers.run(
            lambda: JSONResponse(
                signed(network, {"objid": objid} | predicted_with_each(network, present.load(network, objid)))
            )
        )


def _add_tables_and_neighbours(app: FastAPI, served: Mapping[str, ServedModel], objects: Objects | None) -> None:
    workers, similar = app.state.workers, Similar(objects)

    @app.post("/table", response_class=Response, **tables.OPENAPI)
    async def table(request: Request) -> Response:
        """Predict the galaxies of a form, and answer with the file that ``zoo predict`` writes: CSV, or a VOTable.

        A row for each galaxy in the form's order; of several models each has its columns, after its name. What is wrong
        with a galaxy is said in its row: ``flag``, ``problem``.
        """
        asked = await tables.read_asked(request, lambda: _present(objects))
        models = {name: _served(served, name).model for name in asked.models or served}
        content, media = await workers.run(tables.write_table, asked, models)
        name = f"predictions{tables.FORMATS[asked.form][0]}"
        return Response(content, media_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'})

    @app.get("/similar/{objid}")
    async def neighbours(objid: str, model: str = "", n: int = Query(12, ge=1, le=MOST_NEIGHBOURS)) -> dict:
        """List the galaxies of the data set most like one, as a model sees them: the usual one if none is named.

        A distance of 0 means the same features, 1 those of any two galaxies. The first question for a model computes
        all galaxies' features.
        """
        present = _present(objects)
        present.find(objid)
        network = _served(served, model or usual_model(served, present.about(objid)["inputs"])).model
        return signed(network, {"objid": objid} | await workers.run(similar.nearest, network, objid, n))


def _answer(model: Model, body: bytes, most: int) -> JSONResponse:
    """Read a JSON body and predict what it holds."""
    content = batch.read_body(body)
    model = with_pdf(model, content[batch.PDF])
    return JSONResponse(signed(model, {"results": predicted(model, batch.read_batch(model, content, most))}))


def _served(served: Mapping[str, ServedModel], name: str) -> ServedModel:
    if name not in served:
        known = f"one of {', '.join(served)}" if served else "a trained model (there is none yet)"
        raise HTTPException(404, f"model: expected {known}, found {name[:40]!r}")
    return served[name]


def _present(objects: Objects | None) -> Objects:
    if objects is None:
        raise HTTPException(404, "this service has no data set: start it with zoo serve --ds FOLDER")
    return objects
