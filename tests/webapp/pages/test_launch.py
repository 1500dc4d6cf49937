"""The gallery and the launch page by their addresses: sizes, links that fill the form in, text, one panel."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse

from tests import factories, histories
from training.recipes import recipe as recipes
from webapp.experiments.models import Condition, Experiment
from webapp.launch import gallery
from webapp.launch.launch import launch
from webapp.launch.stage_tree import tree
from webapp.launch.text import write
from webapp.runs.models import StageRun
from webapp.telemetry.models import MeasuredSpeeds

pytestmark = pytest.mark.django_db
SMOKE, PHASE_6 = "/experiments/new/smoke/", "/experiments/new/phase6_grpo_20x/"


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    return client


def two_variants(*changes: tuple[str, Any]) -> recipes.Recipe:
    data = recipes.build(recipes.read("smoke"), changes).model_dump(mode="json")
    data["stages"].append({**data["stages"][-1], "name": "grpo_binary", "rewards": [{"reward": "correct"}]})
    return recipes.build(data)


def test_the_gallery_tells_the_cost_of_each_size() -> None:
    every = {choice.recipe.name: choice for choice in gallery.choices()}
    assert set(every) == set(recipes.names())
    sizes = {size.name: size.cost for size in every["phase6_grpo_20x"].sizes}
    assert list(sizes) == ["full", "1x", "from_published", "tiny"]
    assert sizes["full"].rollouts == 160_000
    assert sizes["tiny"].seconds < sizes["1x"].seconds < sizes["full"].seconds
    assert not sizes["full"].measured
    assert sizes["full"].gpu_hours > 10


def test_a_cost_follows_what_was_measured() -> None:
    def of_smoke() -> gallery.Cost:
        return next(one.full.cost for one in gallery.choices() if one.recipe.name == "smoke")

    guessed = of_smoke()
    run = factories.run_of(
        launch(recipe=recipes.build(recipes.read("smoke")), owner=factories.make_user()), "baseline", "grpo"
    )
    attempt = factories.make_attempt(run, state="succeeded", device="cuda:0")
    factories.add_metrics(attempt, {"rollouts_per_second": [1.0, 1.0, 1.0]})
    assert of_smoke().seconds > guessed.seconds + 1_000


def test_the_gallery_asks_the_database_little(ada: Client, django_assert_max_num_queries: Any) -> None:
    ada.get("/experiments/new/")
    with django_assert_max_num_queries(11):
        ada.get("/experiments/new/")
    for _ in range(5):
        launch(recipe=recipes.build(recipes.read("smoke")), owner=factories.make_user())
    with django_assert_max_num_queries(11):
        ada.get("/experiments/new/")


def test_the_gallery_offers_the_newest_experiments(ada: Client) -> None:
    assert "Clone a recent experiment" not in ada.get("/experiments/new/").content.decode()
    made = [
        launch(recipe=recipes.build(recipes.read("smoke")), owner=factories.make_user()) for _ in range(5)
    ]
    Experiment.objects.filter(pk=made[-1].pk).update(archived_at=made[-1].created_at)
    page = ada.get("/experiments/new/").content.decode()
    assert re.findall(r'aria-label="Clone (smoke-\d)"', page) == ["smoke-4", "smoke-3", "smoke-2"]
    assert "No worker takes runs now; the times assume one RTX 4090." in page
    smoke = page.partition('aria-label="Sizes of smoke to set up"')[2].partition("</ul>")[0]
    assert "full" not in smoke and " min " in smoke, "its one size needs no name"


def test_what_a_cpu_would_take_days_for_needs_a_gpu() -> None:
    every = {choice.recipe.name: choice for choice in gallery.choices()}
    phase = every["phase6_grpo_20x"]
    assert [size and size.name for size in phase.columns] == ["tiny", None, "full"]
    assert [size.name for size in phase.others] == ["1x", "from_published"]
    full = phase.full
    assert not replace(full, cost=replace(full.cost, on_gpu=True, seconds=1e7)).needs_gpu
    long = replace(full, missing=(), cost=replace(full.cost, on_gpu=False, seconds=1e7, gpu_hours=2.0))
    assert long.needs_gpu and long.gpu_seconds == 7200
    text = render_to_string("experiments/_size.html", {"size": long, "name": "phase6_grpo_20x"})
    assert "needs a GPU, 2 h 0 min" in text and "115 d" not in text


def test_the_gallery_is_filtered_by_its_address(ada: Client) -> None:
    page = ada.get("/experiments/new/?q=GRPO+scratchpad").content.decode()
    assert "1 of 18 recipes" in page
    shown = re.findall(r'<li data-words="(\w+) [^"]*" >', page)
    assert shown == ["hypothesis_e_scratchpad"]
    assert "No recipe has all of these words" in ada.get("/experiments/new/?q=nonsense").content.decode()


def test_a_size_opens_with_its_own_values(ada: Client) -> None:
    page = ada.get(f"{PHASE_6}?scale=tiny").content.decode()
    assert 'name="stages.grpo.prompts" type="text" value="20"' in page
    assert '<option value="tiny" selected>' in page
    assert "there is no scale &#x27;huge&#x27;" in ada.get(f"{PHASE_6}?scale=huge").content.decode()


def test_another_size_shows_its_values_and_keeps_what_was_changed(ada: Client) -> None:
    working = write(recipes.build(recipes.read("phase6_grpo_20x")))
    fields = {"working": working, "stages.grpo.beta": "0.25", "stages.pretrain.steps": "7"}
    answer = ada.post(f"{PHASE_6}fields/", {**fields, "scale": "tiny"})
    page = answer.content.decode()
    assert 'name="stages.grpo.prompts" type="text" value="20"' in page
    assert 'name="stages.grpo.beta" type="text" value="0.25"' in page
    assert "changed; the recipe has <code>0.02</code>" in page, "what the recipe has at that size"
    assert answer["X-Address"] == "?scale=tiny"
    page = ada.post(f"{PHASE_6}fields/", {**fields, "scale": "from_published"}).content.decode()
    assert "Not kept:" in page and "stages.pretrain.steps = 7" in page
    tiny = write(recipes.build(recipes.read("phase6_grpo_20x"), [("scale", "tiny")]))
    back = ada.post(f"{PHASE_6}fields/", {"working": tiny, "scale": "full", "seeds": "5"}).content.decode()
    assert 'name="stages.grpo.prompts" type="text" value="2000"' in back
    assert 'name="seeds" type="text" value="5"' in back


def test_a_link_fills_the_form_in_and_marks_it(ada: Client) -> None:
    page = ada.get(f"{SMOKE}?set=stages.grpo.beta=0.1&set=seeds=[0,1,2]").content.decode()
    assert 'name="stages.grpo.beta" type="text" value="0.1"' in page
    assert 'name="seeds" type="text" value="0, 1, 2"' in page
    hidden = re.findall(r"hidden>\s*changed; the recipe has", page)
    assert page.count("changed; the recipe has") - len(hidden) == 2
    assert "2 changed from the recipe" in page and 'href="#field-seeds"' in page


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("set=stages.grpo.betta=0.1", "did you mean &#x27;beta&#x27;"),
        ("set=stages.grpo.beta=-1", "at least 0"),
        ("set=nonsense", "set=path=value"),
        ("set=seeds=[", "no YAML"),
    ],
)
def test_a_link_is_checked_like_everything_else(ada: Client, query: str, says: str) -> None:
    answer = ada.get(f"{SMOKE}?{query}")
    assert answer.status_code == 200
    assert says in answer.content.decode()
    assert "Not so yet." in answer.content.decode()


def test_clones_forks_and_more_seeds_can_be_filled_in(ada: Client) -> None:
    launch(recipe=recipes.build(recipes.read("smoke")), owner=factories.make_user())
    for url in (
        reverse("clone_experiment", args=["smoke-1"]) + "?seeds=more&",
        reverse("fork_experiment", args=["smoke-1", "grpo"]) + "?",
    ):
        page = ada.get(f"{url}set=stages.grpo.beta=0.1").content.decode()
        assert 'name="stages.grpo.beta" type="text" value="0.1"' in page
    page = ada.get(reverse("clone_experiment", args=["smoke-1"]) + "?seeds=more").content.decode()
    assert "changed; the recipe has <code>0</code>" in page
    assert 'name="seeds" type="text" value="0, 1, 2"' in page, "three are the least that can support a claim"


def test_a_condition_added_in_the_form_is_launched(ada: Client) -> None:
    working = write(recipes.build(recipes.read("smoke")))
    page = ada.post(f"{SMOKE}fields/", {"working": working, "do": "add"}).content.decode()
    assert 'name="conditions.condition_3.name"' in page
    data = recipes.build(recipes.read("smoke")).model_dump(mode="json")
    data["conditions"].append({"name": "condition_3", "overrides": {}})
    fields = {
        "working": write(recipes.build(data)),
        "conditions.condition_3.name": "low_beta",
        "conditions.condition_3.overrides.stages.grpo.beta": "0.001",
    }
    answer = ada.post(SMOKE, fields)
    assert answer["Location"] == "/experiments/smoke-1/"
    found = Condition.objects.get(name="low_beta")
    assert found.overrides == {"stages.grpo.beta": 0.001}
    assert StageRun.objects.filter(condition=found).count() == 4


def test_a_text_with_another_stage_and_condition_is_launched(ada: Client) -> None:
    recipe = two_variants()
    text = write(recipe).replace("- name: mul_tokens\n", "- name: third\n- name: mul_tokens\n")
    assert ada.post(f"{SMOKE}?as=yaml", {"yaml": text})["Location"] == "/experiments/smoke-1/"
    made = Experiment.objects.get()
    assert [one.name for one in made.conditions.all()] == ["baseline", "third", "mul_tokens"]
    assert made.stages.get(name="grpo_binary").after == made.stages.get(name="curriculum")


def test_a_full_text_keeps_the_other_sizes(ada: Client) -> None:
    text = write(recipes.build(recipes.read("hypothesis_d_one_step"), [("stages.grpo.beta", 0.25)]))
    assert "scales" not in text
    page = ada.post("/experiments/new/hypothesis_d_one_step/?as=form", {"yaml": text, "do": "switch"})
    assert '<option value="tiny"' in page.content.decode()


def test_switching_keeps_what_was_changed(ada: Client) -> None:
    working = write(recipes.build(recipes.read("smoke")))
    page = ada.post(f"{SMOKE}?as=yaml", {"working": working, "stages.grpo.beta": "0.125", "do": "switch"})
    assert "beta: 0.125" in page.content.decode()
    assert 'id="yaml"' in page.content.decode()
    text = write(two_variants(("stages.grpo.beta", 0.125)))
    page = ada.post(f"{SMOKE}?as=form", {"yaml": text, "do": "switch"}).content.decode()
    assert 'name="stages.grpo_binary.beta" type="text" value="0.125"' in page
    assert not Experiment.objects.exists()


def test_a_text_that_is_wrong_stays_with_its_lines(ada: Client) -> None:
    text = write(recipes.build(recipes.read("smoke"))).replace("  group_size:", "  groupsize:")
    line = 1 + text[: text.index("groupsize")].count("\n")
    for url in (f"{SMOKE}?as=yaml", f"{SMOKE}?as=form", f"{SMOKE}panel/"):
        page = ada.post(url, {"yaml": text, "do": "switch"}).content.decode()
        assert f'data-line="{line}">line {line}</a>' in page
        assert "did you mean &#x27;group_size&#x27;?" in page
    assert "groupsize" in ada.post(f"{SMOKE}?as=yaml", {"yaml": text}).content.decode()
    assert not Experiment.objects.exists()


def test_settings_that_this_page_did_not_write_are_refused(ada: Client) -> None:
    for working in ("[", "name: 3", "a: &a [*a]"):
        assert ada.post(SMOKE, {"working": working}).status_code == 400


def test_one_panel_holds_the_plan_and_what_is_reused(ada: Client) -> None:
    page = ada.post(f"{SMOKE}panel/", {"seeds": "0, 1"}).content.decode()
    for words in ("Stage runs", "Rollouts", "Tokens learnt", "Disk", "Queue", "Reused", "What it can show"):
        assert words in page
    assert "None of the 16 runs has a finished one to reuse" in page
    assert "Three are the least that can support a claim" in page


def test_a_launch_of_nothing_new_is_not_what_the_page_suggests(ada: Client, tmp_path: Path) -> None:
    made = launch(recipe=recipes.build(recipes.read("smoke")), owner=factories.make_user())
    page = ada.get(SMOKE).content.decode()
    assert "Nothing new would be trained" not in page
    assert re.search(r'class="button button-primary" type="submit"\s+id="launch">Launch</button>', page)
    for run in made.runs.order_by("stage__position", "pk"):
        run.refresh_from_db()
        factories.finish(run, tmp_path)
    page = ada.get(SMOKE).content.decode()
    said = " ".join(page.split('id="nothing-new">')[1].split("</p>")[0].split())
    assert said.startswith("Nothing new would be trained: every run is the same as in <a href=")
    assert said.count('<a href="/experiments/smoke-1/">smoke-1</a>') == 2
    assert re.search(r'class="button" type="submit"\s+id="launch">Launch anyway</button>', page)
    assert "Nothing new" not in ada.post(f"{SMOKE}panel/", {"seeds": "0, 1"}).content.decode()
    assert "Nothing new" not in ada.post(f"{SMOKE}panel/", {"reuse": "false"}).content.decode()


def test_the_form_begins_with_conditions_and_stages(ada: Client) -> None:
    page = ada.get(SMOKE).content.decode()
    titles = re.findall(r"<h2>([^<]+)</h2>", page)
    assert titles[:4] == ["Basics", "Conditions", "Stages", "What is asked"]
    assert page.count('id="field-stages.grpo"') == 1 and page.count(">grpo</h3>") == 1, "shown once"
    assert page.count(">Seeds</label>") == 1 and ">Seeds that decide</label>" in page
    assert '<p class="help">What the experiment asks</p>' not in page


@pytest.mark.parametrize(
    ("query", "opens"),
    [("", False), ("?set=go_threshold=0.05", True), ("?set=primary.contrast=equivalence", True)],
)
def test_more_about_the_decision_unfolds_by_itself(ada: Client, query: str, opens: bool) -> None:
    page = ada.get(f"{SMOKE}{query}").content.decode()
    fold = re.search(r'<details class="[^"]*" id="field-decision" (open)?', page)
    assert fold is not None and (fold[1] == "open") == opens


def test_stages_form_a_tree() -> None:
    (root,) = tree(two_variants())
    curriculum = root.followers[0].followers[0]
    assert [node.name for node in curriculum.followers] == ["grpo", "grpo_binary"]
    assert (curriculum.followers[0].steps, curriculum.followers[0].learning_rate) == (30, "0.0003")


def test_what_was_asked_stands_beside_the_outcome(ada: Client) -> None:
    histories.make_history("demo-1", done=12)
    for url in (reverse("comparison", args=["demo-1"]), reverse("report", args=["demo-1"])):
        page = ada.get(url).content.decode().replace("&nbsp;", " ")
        assert "mul_tokens ends at least 5 points above baseline." in page
        assert (
            f"accuracy on {factories.BENCHMARK} after the last stage, each condition minus the baseline, α = 0.05"
            in page
        )
        assert "Do multiplication-fact tokens help a small model" in page


def test_the_gallery_asks_again_only_what_may_have_changed(django_assert_max_num_queries: Any) -> None:
    runs = launch(recipe=recipes.build(recipes.read("smoke")), owner=factories.make_user())
    gallery.choices()
    with django_assert_max_num_queries(5):
        gallery.choices()
    attempt = factories.make_attempt(
        factories.run_of(runs, "baseline", "grpo"), state="succeeded", device="cuda:0"
    )
    factories.add_metrics(attempt, {"rollouts_per_second": [1.0, 1.0, 1.0]})
    gallery.choices()
    asked = {tuple(asked) for asked, _ in MeasuredSpeeds.objects.get().answers}
    assert any(asked[0:2] == ("speed", "grpo") for asked in asked)
    assert not any(asked[0:2] == ("speed", "pretrain") for asked in asked), "none of its size has run"
    with django_assert_max_num_queries(5):
        gallery.choices()


def test_recipes_stand_by_purpose_and_those_of_minutes_first() -> None:
    groups = gallery.groups(gallery.choices())
    soon = groups[0]
    assert soon.title == "Runs here in minutes"
    assert {"smoke", "demo"} <= {one.recipe.name for one in soon.choices}
    assert sorted(one.recipe.name for group in groups for one in group.choices) == recipes.names(), (
        "each once"
    )
    hypotheses = [one.recipe.name for one in groups[1].choices]
    assert hypotheses == sorted(name for name in recipes.names() if name.startswith("hypothesis_")), "A to E"


def test_a_size_says_what_it_is_for(ada: Client) -> None:
    every = [size for choice in gallery.choices() for size in choice.sizes[1:]]
    assert all(size.description for size in every)
    page = ada.get("/experiments/new/hypothesis_d_one_step/?scale=tiny").content.decode()
    assert "tiny is a toy model from random weights on made problems" in page
    assert "decide nothing; 2 seeds. The settings below" in page


def test_own_text_is_opened_with_its_errors_by_line_and_launched(ada: Client) -> None:
    blank = ada.get("/experiments/new/own/?as=yaml").content.decode()
    assert "name: my_experiment # experiments are my_experiment-1" in blank
    assert ada.post("/experiments/new/own/?as=yaml", {"do": "open", "yaml": " "}).status_code == 302
    wrong = ada.post("/experiments/new/own/?as=yaml", {"do": "open", "yaml": "name: mine\nseeds: [0, 1\n"})
    assert 'data-line="2">line 2</a>' in wrong.content.decode()
    assert "1 problem, in line 2</span>" in " ".join(wrong.content.decode().split())
    assert "valid: 2 conditions, 1 stage, 6 runs</span>" in " ".join(blank.split())
    text = write(recipes.build(recipes.read("smoke"), [("stages.grpo.beta", 0.125)]))
    file = SimpleUploadedFile("mine.yaml", text.encode())
    page = ada.post(
        "/experiments/new/own/?as=yaml", {"do": "open", "yaml": "", "file": file}
    ).content.decode()
    assert "beta: 0.125" in page
    assert "changed from" not in page, "it is compared with nothing"
    opened = ada.get("/experiments/new/own/").content.decode()
    assert 'id="yaml"' in opened and 'type="file"' in opened, "it opens as text"
    as_form = ada.get("/experiments/new/own/?as=form").content.decode()
    assert 'id="yaml"' not in as_form and 'type="file"' not in as_form
    review = ada.post("/experiments/new/own/", {"working": text, "review": "1"}).content.decode()
    assert 'id="yaml"' not in review, "what was posted as a form stays one"
    form = ada.post("/experiments/new/own/?as=form", {"do": "switch", "yaml": text}).content.decode()
    assert 'name="stages.grpo.beta" type="text" value="0.125"' in form
    answer = ada.post("/experiments/new/own/", {"working": text, "stages.grpo.beta": "0.25"})
    assert answer["Location"] == "/experiments/smoke-1/"
    assert Experiment.objects.get().recipe["stages"][-1]["beta"] == 0.25
    binary = SimpleUploadedFile("mine.yaml", b"\x89PNG\x00\x1a")
    assert ada.post("/experiments/new/own/?as=yaml", {"do": "open", "file": binary}).status_code == 200


def test_own_text_keeps_its_sizes(ada: Client) -> None:
    data = {**recipes.read("smoke"), "scales": {"small": {"stages.pretrain.steps": 7}}}
    page = ada.post(
        "/experiments/new/own/?as=form", {"do": "switch", "yaml": yaml.safe_dump(data)}
    ).content.decode()
    assert '<option value="small"' in page
    working = write(recipes.build(data), sizes=True)
    answer = ada.post("/experiments/new/own/fields/", {"working": working, "scale": "small"})
    assert answer["X-Address"] == "?as=form"
    page = answer.content.decode()
    assert 'name="stages.pretrain.steps" type="text" value="7"' in page


def test_the_first_plan_counts_what_a_fork_takes_over(ada: Client, tmp_path: Path) -> None:
    made = launch(recipe=recipes.build(recipes.read("smoke")), owner=factories.make_user())
    for run in made.runs.exclude(stage__name="grpo").order_by("stage__position", "pk"):
        run.refresh_from_db()
        factories.finish(run, tmp_path)
    page = ada.get(reverse("fork_experiment", args=["smoke-1", "grpo"])).content.decode()
    assert "6 of 8 runs" in page
    assert "Looking for finished stages" not in page and 'hx-trigger="input from' in page
    hub = ada.get(f"{PHASE_6}").content.decode()
    assert "Looking for finished stages" in hub and 'hx-trigger="load, input from' in hub
