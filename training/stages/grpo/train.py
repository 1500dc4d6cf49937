"""GRPO: prompts of a mixture → TRL's GRPOTrainer."""

from datasets import Dataset

from training import rewards
from training.architecture import MulberryGPT2, model
from training.data import encoding
from training.data.example import Example
from training.data.kept import KeptTally
from training.engine import stage_helpers
from training.engine.run_context import Run
from training.process import ranks
from training.stages.grpo import rollout_sampler
from training.stages.grpo.config import GrpoSettings
from training.stages.grpo.trainer import GrpoTrainer
from training.text.reserved import text_ids


def run(run: Run) -> None:
    """Reinforce what earns reward, one pass over the prompts."""
    settings = run.spec.settings
    assert isinstance(settings, GrpoSettings)
    if run.done:
        return stage_helpers.evaluate_again(run)
    stage_helpers.refuse_beyond_context(run, "max_new_tokens", settings.max_new_tokens + 1)

    tokenizer = stage_helpers.load_tokenizer(run)
    tokenizer.padding_side = "left"
    policy = stage_helpers.load_model(run, tokenizer)
    if run.parent is None:  # TRL reads the reference model from where the policy was loaded
        start = run.run_dir / "start"
        if ranks.index() == 0:
            model.save(policy, tokenizer, start)
        ranks.wait()
        policy = model.load(start)

    sampler, why = rollout_sampler.choose(
        settings.sampler, device=run.device, variant=isinstance(policy, MulberryGPT2)
    )
    run.journal.log(why)
    for plugin in rewards.PLUGINS:
        if plugin.problem:
            run.journal.log(f"reward {plugin.name!r} of {plugin.package}: {plugin.problem}", level="warning")

    room = run.spec.model.n_positions - settings.max_new_tokens

    tally = KeptTally("prompts")

    def prompt(example: Example) -> dict[str, str] | None:
        if example.answer is None:
            return None
        if len(text_ids(tokenizer, example.prompt)) > room:
            tally.leave_out()
            return None
        tally.keep(example)
        return {"prompt": example.prompt, "reference": example.answer}

    drawn = map(prompt, stage_helpers.examples(run, settings.data))
    limit = f"a prompt of {room} tokens with an answer (n_positions less max_new_tokens)"
    told = stage_helpers.Preparation(run, "prompts")
    prompts = Dataset.from_list(list(encoding.first_fitting(drawn, settings.prompts, limit, told)))
    run.journal.append("examples", parts=[tally.record()])
    stage_helpers.record_drawn(run)

    trainer = GrpoTrainer(
        run=run,
        settings=settings,
        model=policy,
        tokenizer=tokenizer,
        prompts=prompts,
        seed=stage_helpers.seed(run, "sampler"),
        sampler=sampler,
    )
    step = trainer.train_to_end()
    stage_helpers.finish(run, policy, tokenizer, step)
