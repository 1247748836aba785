"""The galaxies of a service's data set that are alike: the features of each model, computed once."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fastapi import HTTPException

from common.models.model import Model
from common.serve.answers import number
from common.serve.limits import busy
from common.serve.objects import Objects
from common.serve.served_models import ServedModel
from sdss_gs.errors import DataError, ZooError
from sdss_gs.schema import INPUTS, OUTPUTS

if TYPE_CHECKING:
    from common.predict.neighbours import Neighbours

MOST_NEIGHBOURS = 100
MOST_OBJECTS = 100_000
"""Up to so many a service computes the features itself."""
PATIENCE = 1.0
"""Seconds for which a question waits for features that are being computed: it keeps a thread from predicting."""


class Similar:
    """Finds neighbours in the space of each model's features.

    Parameters
    ----------
    objects : Objects or None
    """

    def __init__(self, objects: Objects | None):
        self._objects, self._indices, self._lock = objects, {}, threading.Lock()

    def nearest(self, model: Model, objid: str, n: int) -> dict:
        """List an object's neighbours, with their true values; takes long when a model is asked for first.

        Parameters
        ----------
        model : Model
        objid : str
        n : int
            Neighbours.

        Returns
        -------
        dict
            The ``layer`` of the features, and ``neighbours``, nearest first.

        Raises
        ------
        HTTPException
            404 if the object has no input of the model, 409 if there are too many to compute their features here, 422
            if the data set is not what the model takes, 503 while the features are being computed.
        """
        index = self._index(model)
        try:
            near = index.nearest(objid, n)
        except ZooError:
            raise HTTPException(404, f"object: this galaxy has no usable input for {model.name}") from None
        neighbours = [
            {"objid": one.id, "distance": number(one.distance), "truths": self._objects.truths(one.id)} for one in near
        ]
        return {"layer": index.about["layer"], "neighbours": neighbours}

    def _index(self, model: Model) -> Neighbours:
        key = (model.name, model.sha256)
        if key in self._indices:
            return self._indices[key]
        if not self._lock.acquire(timeout=PATIENCE):
            raise busy("the features of all galaxies are being computed; try again soon")
        try:
            if key not in self._indices:
                self._indices[key] = self._computed(model)
            return self._indices[key]
        finally:
            self._lock.release()

    def _computed(self, model: Model) -> Neighbours:
        # Not with the others: nobody need wait for pandas at the start of a service.
        from common.predict.embed import embedding_of, stored_embedding
        from common.predict.neighbours import Neighbours

        data = self._objects.data
        try:
            if len(data) > MOST_OBJECTS and not stored_embedding(model, data).is_file():
                raise DataError(
                    f"{model.name}: {len(data):,} galaxies are too many to compute their features here; "
                    f"run once: zoo embed {model.name} --input FOLDER"
                )
            return Neighbours(embedding_of(model, data))
        except ZooError as error:
            # Not where on this machine the data set is.
            text = str(error).replace(f"{data.folder}: ", "").replace(str(data.folder), "the data set")
            raise HTTPException(409 if isinstance(error, DataError) else 422, text) from None


def usual_model(served: Mapping[str, ServedModel], has: Mapping[str, bool]) -> str:
    """Choose the model that looks for neighbours when none is named: of images before any other input.

    Parameters
    ----------
    served : mapping of str to ServedModel
    has : mapping of str to bool
        Whether the galaxy has an input, by its name.

    Raises
    ------
    HTTPException
        404 if no model takes any input that the galaxy has.
    """
    # Of images first, and of those the one for morphology: its features are what the eye compares as well.
    inputs, outputs = list(INPUTS), list(reversed(OUTPUTS))
    fitting = [
        (len(one.model.inputs), inputs.index(item.name), outputs.index(one.model.outputs[0].name), name)
        for name, one in served.items()
        for item in one.model.inputs
        if has.get(item.name)
    ]
    if not fitting:
        raise HTTPException(404, "model: expected a trained model for what this galaxy has, found none")
    return min(fitting)[-1]
