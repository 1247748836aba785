"""The synthetic sample: layout, physics that ties the modalities together, determinism."""

import csv
import json
from collections import Counter
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from PIL import Image
from speclite.filters import load_filter

from sdss_gs import schema
from sdss_gs.decision_tree import KAGGLE, TREES
from sdss_gs.errors import OptionError
from sdss_gs.gz2_class import gz2_classes, simplify
from sdss_gs.sample import (
    SAMPLE_VERSION,
    camera,
    catalogue,
    image,
    labels,
    lines,
    morphology,
    photometry,
    population,
    sed,
    spectrum,
    write,
    write_sample,
)
from sdss_gs.sample.templates import MASS_TO_LIGHT

pytestmark = pytest.mark.filterwarnings("error")
N = 60


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return write_sample(tmp_path_factory.mktemp("sample") / "sdss-gs", n=N, seed=3, processes=1, progress=False)


@pytest.fixture(scope="module")
def rows(sample):
    with open(sample / "data.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def galaxies():
    """Latent galaxies with their light and shape, drawn as `write_galaxy` draws them."""
    drawn = []
    for position in range(150):
        rng = np.random.default_rng([3, position])
        galaxy = population.draw_galaxy(rng)
        light = sed.galaxy_sed(galaxy, rng)
        drawn.append((galaxy, light, morphology.draw_shape(galaxy, light.stellar_mass, rng), rng))
    return drawn


def bytes_by_name(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.*"))}


def read_table(path: Path) -> np.ndarray:
    return np.loadtxt(path, delimiter=",", skiprows=1)


# === Layout ===


def test_table_has_the_columns_of_the_data_set_and_plausible_values(rows):
    assert len(rows) == N
    assert tuple(rows[0]) == catalogue.COLUMNS
    assert len({row["objid"] for row in rows}) == N
    for row in rows:
        assert row["objid"].startswith("1237")
        assert len(row["objid"]) == 19
        assert row["class"] == "GALAXY"
        assert row["gz2c_s"] in {"", *schema.GZ2_CLASSES}
        assert simplify(row["gz2c_f"]) == row["gz2c_s"]
        assert not set(row["subclass"].split()) - set(schema.SUBCLASSES)
        for column, quantity in schema.QUANTITIES.items():
            if column in schema.OPTIONAL:
                continue
            value = float(row[column] or "nan")
            assert np.isnan(value) or value in quantity.sentinels or quantity.low < value < quantity.high


def test_votes_follow_the_tree_and_give_the_class(rows):
    shown = [row for row in rows if row["gz2c_f"]]
    assert len(shown) > 0.4 * N
    values = np.array([[float(row[column]) for column in TREES[KAGGLE].columns] for row in shown])
    assert not TREES[KAGGLE].inconsistent(values).any()
    assert gz2_classes(values) == [row["gz2c_f"] for row in shown]
    assert all(row[column] == "" for row in rows if not row["gz2c_f"] for column in TREES[KAGGLE].columns)
    # Volunteers differ: a large galaxy's answers are clearer than a small one's.
    assert 0.5 < np.median(values[:, :3].max(axis=1)) < 0.95


def test_nothing_else_about_a_galaxy_depends_on_its_votes(tmp_path, monkeypatch):
    found = []
    for name, draw in (("with", write.draw_votes), ("without", lambda *_: np.zeros(37))):
        for folder in ("img", "fits", "spectra", "ssel"):
            (tmp_path / name / folder).mkdir(parents=True)
        monkeypatch.setattr(write, "draw_votes", draw)
        found.append([write.write_galaxy(tmp_path / name, 3, position) for position in range(4)])
    kept = [name for name in catalogue.COLUMNS if name not in TREES[KAGGLE].columns]
    assert [[row[name] for name in kept] for row in found[0]] == [[row[name] for name in kept] for row in found[1]]
    assert found[0] != found[1]
    assert bytes_by_name(tmp_path / "with") == bytes_by_name(tmp_path / "without")


def test_note_of_the_sample(sample):
    assert json.loads((sample / "sample.json").read_text()) == {"n": N, "seed": 3, "version": SAMPLE_VERSION}


def test_only_the_layout_of_the_data_set_is_written(sample, rows):
    assert {path.name for path in sample.iterdir()} == {"data.csv", "sample.json", "img", "fits", "spectra", "ssel"}
    known = {row["objid"] for row in rows}
    for name in ("img", "fits", "spectra", "ssel"):
        files = list((sample / name).iterdir())
        assert {path.stem for path in files} <= known
        assert {path.suffix for path in files} == {schema.INPUTS[name].suffix}
        assert len(files) > 0.9 * N


def test_images_have_the_schema_shapes(sample):
    for path in (sample / "img").iterdir():
        with Image.open(path) as picture:
            assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", schema.INPUTS["img"].shape[1::-1])
    for path in (sample / "fits").iterdir():
        pixels = np.load(path)
        assert (pixels.shape, pixels.dtype) == (schema.INPUTS["fits"].shape, np.float32)
        assert np.isfinite(pixels).all()


def test_spectra_lie_on_the_grid_and_ssel_is_cut_from_them(sample, rows):
    checked = 0
    for row in rows[:25]:
        full, selected = (sample / name / f"{row['objid']}.csv" for name in ("spectra", "ssel"))
        if not (full.exists() and selected.exists()):
            continue
        lines_of_text = full.read_bytes().split(b"\r\n")
        assert lines_of_text[0] == b"Wavelength,Flux,BestFit,SkyFlux"
        assert lines_of_text[-1] == b""
        table = read_table(full)
        inside = (table[:, 0] >= 4000) & (table[:, 0] <= 9000)
        np.testing.assert_allclose(table[inside, 0], schema.WAVELENGTH, atol=6e-4)
        assert inside.sum() == 3522 < len(table)
        np.testing.assert_array_equal(read_table(selected), table[schema.in_windows(table[:, 0])])
        assert len(read_table(selected)) == len(schema.SSEL_INDEX) == 1423
        checked += 1
    assert checked > 15


# === Physics ===


def test_spectrum_shows_the_redshift(sample, rows):
    found = 0
    for row in rows:
        path = sample / "spectra" / f"{row['objid']}.csv"
        if not path.exists() or row["subclass"] not in ("STARFORMING", "STARBURST") or float(row["redshift"]) > 0.3:
            continue
        wavelength, _, best, _ = read_table(path).T
        centre = lines.LINES["halpha"] * (1 + float(row["redshift"]))
        near = abs(wavelength - centre) < 12
        beside = (abs(wavelength - centre) > 40) & (abs(wavelength - centre) < 80)
        if best[near].max() > 1.3 * np.median(best[beside]):
            assert abs(wavelength[near][best[near].argmax()] - centre) < 1.5
            found += 1
    assert found > 15


def test_old_galaxies_have_a_break_at_4000_angstrom(galaxies):
    checked = 0
    for galaxy, light, _, _ in galaxies:
        if galaxy.activity == "passive" and galaxy.nucleus == "":
            rest, flux = light.wavelength / (1 + galaxy.redshift), light.flux.sum(axis=0)
            # Narrow 4000 Å break of Balogh et al. 1999.
            above, below = ((rest > low) & (rest < high) for low, high in ((4001, 4101), (3851, 3951)))
            assert 1.4 < (flux[above] * rest[above] ** 2).mean() / (flux[below] * rest[below] ** 2).mean() < 2.4
            checked += 1
    assert checked > 5


def test_isolated_image_holds_the_flux_of_the_magnitudes(galaxies):
    seeing = np.full(5, 1.3)
    for galaxy, light, shape, rng in galaxies[:40]:
        if shape.radius > 3 or galaxy.absolute_magnitude > -18:
            continue
        flux = 1e9 * photometry.maggies(light.wavelength, light.flux, schema.BANDS)
        maps = image.component_maps(shape, np.array([0.05, -0.1]), rng)
        scene = camera.render(maps, flux, [], seeing)
        total = scene.sum(axis=(0, 1)) / flux.sum(axis=0)
        # What lies outside the 32" field is missing: little of a disk, more of a Sérsic n = 4 profile.
        assert (total < 1.02).all()
        assert (total > 0.85).all()
        noisy = camera.cutout(camera.add_noise(scene, rng)).sum(axis=(0, 1))
        expected = camera.cutout(scene).sum(axis=(0, 1))
        # 61² pixels of sky noise plus the offset of the sky level of 0.05 sigma per pixel.
        tolerance = 5 * photometry.SKY_NOISE * np.hypot(61, 0.05 * 61**2) + 5 * np.sqrt(expected / photometry.GAIN)
        assert (abs(noisy - expected) < tolerance).all()


def test_catalogue_magnitudes_agree_with_the_cutout(sample, rows):
    differences = []
    for row in rows:
        path, magnitude = sample / "fits" / f"{row['objid']}.npy", float(row["modelMag_r"])
        if path.exists() and 15.5 < magnitude < 17.5:
            y, x = np.mgrid[-30:31, -30:31]
            central = np.load(path)[..., 2][np.hypot(x, y) < 20].sum()
            differences.append(22.5 - 2.5 * np.log10(central) - magnitude)
    assert len(differences) > 20
    assert abs(np.median(differences)) < 0.12


def test_magnitudes_agree_with_an_independent_integration(galaxies):
    _, light, _, _ = galaxies[0]
    total = light.flux.sum(axis=0)
    bands = ("u", "r", "z", "W1", "W3")
    for name, flux in zip(bands, photometry.maggies(light.wavelength, total, bands), strict=True):
        band = load_filter(f"wise2010-{name}" if name in photometry.WISE else f"sdss2010-{name}")
        grid = np.geomspace(band.wavelength[0], band.wavelength[-1], 40000)
        weight = np.interp(grid, band.wavelength, band.response) * grid
        # AB: 3631 Jy per unit frequency, in 1e-17 erg/s/cm²/Å.
        reference = (3631 * u.Jy).to_value(photometry.FLUX_UNIT, u.spectral_density(grid * u.AA))
        ours = np.trapezoid(weight * np.interp(grid, light.wavelength, total), grid) / np.trapezoid(
            weight * reference, grid
        )
        assert flux == pytest.approx(ours, rel=5e-3)


def test_asinh_magnitudes_are_logarithmic_when_bright_and_finite_when_dark():
    bright = np.full(5, 1e3)
    np.testing.assert_allclose(photometry.asinh_magnitude(bright), 22.5 - 2.5 * 3, atol=1e-4)
    # Zero flux by the SDSS DR17 documentation.
    np.testing.assert_allclose(photometry.asinh_magnitude(np.zeros(5)), [24.63, 25.11, 24.80, 24.36, 22.83], atol=0.01)


def test_undetected_wise_flux_becomes_an_upper_limit():
    limits = photometry.measure_wise(np.zeros(4), np.random.default_rng(0))
    # Two sigma is one magnitude fainter than five sigma; noise of up to two sigma comes on top.
    assert (abs(limits - (photometry.WISE_LIMIT + 0.5)) < 1.3).all()


def test_mass_follows_luminosity_and_colour(galaxies):
    ratio, colour = [], []
    for galaxy, light, _, _ in galaxies:
        luminosity = 10 ** (-0.4 * (galaxy.absolute_magnitude - sed.SOLAR_MAGNITUDE))
        ratio.append(np.log10(light.stellar_mass / luminosity))
        flux = photometry.maggies(light.wavelength, light.flux.sum(axis=0), ("g", "r"))
        colour.append(-2.5 * np.log10(flux[0] / flux[1]) - 2.2 * galaxy.redshift)
    assert np.log10(MASS_TO_LIGHT[2]) < min(ratio)
    assert max(ratio) < np.log10(MASS_TO_LIGHT[0]) + 0.8
    assert np.corrcoef(ratio, colour)[0, 1] > 0.6


def test_fibre_holds_less_light_than_the_galaxy_and_all_of_a_point(galaxies):
    for _, _, shape, rng in galaxies[:10]:
        offset = np.array([0.1, 0.1])
        fractions = camera.fibre_fractions(image.component_maps(shape, offset, rng), offset, 1.3)
        assert ((fractions > 0) & (fractions < 1)).all()
        assert fractions[3] == pytest.approx(1 - np.exp(-0.5 * (1.5 / (1.3 / 2.3548)) ** 2), abs=0.02)


@pytest.mark.parametrize(("index", "ratio"), [(1.0, 0.5), (2.5, 0.8), (4.0, 1.0)])
def test_own_sersic_profile_is_that_of_astropy(index, ratio):
    x, y = np.meshgrid(np.linspace(-9, 9, 121) + 0.03, np.linspace(-9, 9, 121) + 0.03)
    along, across = x * np.cos(0.6) + y * np.sin(0.6), (y * np.cos(0.6) - x * np.sin(0.6)) / ratio
    ours = image.sersic(np.hypot(along, across), 2.0, index)
    theirs = Sersic2D(1.0, 2.0, index, 0, 0, 1 - ratio, 0.6)(x, y)
    np.testing.assert_allclose(ours / image.sersic(2.0, 2.0, index), theirs, rtol=1e-10)
    radius = np.geomspace(1e-7, 2000, 40000)
    assert np.trapezoid(2 * np.pi * radius * image.sersic(radius, 2.0, index), radius) == pytest.approx(1, abs=1e-3)


def test_half_of_a_sersic_map_lies_within_the_half_light_radius():
    axis = image.FINE_SCALE * (np.arange(243) - 121)
    x, y = axis[None, :], axis[:, None]
    flux = image.sersic_map(x, y, 3.0, 4.0, 0.7, 0.0)
    assert flux[np.hypot(x, y / 0.7) < 3.0].sum() == pytest.approx(0.5, abs=0.01)


def test_subclass_follows_the_rules_on_the_lines(galaxies):
    found = Counter()
    fractions = np.array([0.5, 0.3, 0.3, 0.95])
    for galaxy, light, _, rng in galaxies:
        label = labels.spectroscopic_subclass(galaxy, light, fractions, rng)
        found[label] += 1
        flux, error, _ = spectrum.line_measurements(light, fractions, galaxy.redshift)
        strength = dict(zip(lines.LINES, flux, strict=True))
        if label in ("AGN", "STARFORMING", "STARBURST") and strength["hbeta"] > 20 * error.min():
            excitation = np.log10(strength["oiii_b"] / strength["hbeta"])
            border = 0.7 - 1.2 * (np.log10(strength["nii_b"] / strength["halpha"]) + 0.4)
            assert abs(excitation - border) < 0.2 or (excitation > border) == (label == "AGN")
        if label == "BROADLINE":
            assert galaxy.nucleus == "broad"
    assert found["STARFORMING"] > found["STARBURST"] > 0
    assert found["AGN"] > 0
    assert found["BROADLINE"] > 0


def test_a_bright_star_hides_the_galaxy(galaxies):
    galaxy, _, shape, rng = galaxies[0]
    assert labels.zoo_class(galaxy, shape, 1.3, True, rng) == "A"


def test_dirt_is_rare_and_written_as_surveys_write_it():
    rng = np.random.default_rng(0)
    clean = dict.fromkeys(catalogue.COLUMNS, "1")
    soiled = [catalogue.soil(clean, rng) for _ in range(20000)]
    wise = Counter(row["w1mag"] for row in soiled)
    assert wise[""] == pytest.approx(0.036 * 20000, rel=0.2)
    assert wise["9999"] == pytest.approx(0.004 * 20000, rel=0.5)
    masses = Counter(row["stellarmass"] for row in soiled)
    assert set(masses) == {"1", "0", "-1", ""}
    assert masses["1"] == pytest.approx(0.994 * 20000, rel=0.01)
    bad = sum("-9999" in (row[column] for column in schema.INPUTS["bands"].columns) for row in soiled)
    assert bad == pytest.approx(0.003 * 20000, rel=0.5)
    absent = Counter(name for _ in range(20000) for name in catalogue.absent_files(rng))
    assert set(absent) == {"img", "fits", "spectra", "ssel"}
    assert max(absent.values()) < 300


def test_identifier_is_the_one_of_skyserver():
    known = 1237668296598683803
    run, camcol, field, number = known >> 32 & 0xFFFF, known >> 29 & 7, known >> 16 & 0xFFF, known & 0xFFFF
    assert known >> 28 & 1 == 0
    assert catalogue.object_id(run, camcol, field, number) == known


# === Determinism ===


def test_galaxies_depend_on_neither_number_nor_processes(tmp_path):
    five = bytes_by_name(write_sample(tmp_path / "five", n=5, seed=1, processes=1, progress=False))
    eight = bytes_by_name(write_sample(tmp_path / "eight", n=8, seed=1, processes=2, progress=False))
    del five["sample.json"]
    assert eight["data.csv"].splitlines()[:6] == five.pop("data.csv").splitlines()
    assert five.items() <= eight.items()


def test_seeds_give_different_galaxies(tmp_path):
    one, two = (write_sample(tmp_path / str(seed), n=2, seed=seed, processes=1, progress=False) for seed in (1, 2))
    assert set(bytes_by_name(one)) & set(bytes_by_name(two)) == {"data.csv", "sample.json"}
    assert (one / "data.csv").read_bytes() != (two / "data.csv").read_bytes()


# === Refusals ===


def test_an_existing_folder_is_left_alone(tmp_path):
    with pytest.raises(OptionError, match="expected a new folder, found one that exists"):
        write_sample(tmp_path, n=1, progress=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", [{"n": 0}, {"n": 2.5}, {"seed": -1}, {"processes": 0}])
def test_impossible_options_are_refused(tmp_path, option):
    with pytest.raises(OptionError, match="expected a whole number"):
        write_sample(tmp_path / "new", progress=False, **option)
    assert not list(tmp_path.iterdir())


def test_a_failed_run_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("sdss_gs.sample.write.write_galaxy", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_sample(tmp_path / "new", n=2, processes=1, progress=False)
    assert not list(tmp_path.iterdir())
