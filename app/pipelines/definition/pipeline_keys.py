"""The structure of headrace.yml as a whole: what starts a run, who is told of it, and the stages (see language.py)."""

from typing import Final

from app.pipelines.definition.forms import Either, Flag, Key, ListOf, Number, Record, Text, Word
from app.pipelines.definition.language import (
    DEFAULT_TIMEOUT,
    DESCRIPTION,
    ENVIRONMENT,
    MAX_STAGES,
    NAME,
    PATH,
    RETRIES,
    STAGE,
    TIMEOUT,
    URL,
    VARIABLE,
)
from app.pipelines.definition.synonyms import TARGET_TYPES, TRIGGER_TYPES

ENDS: Final = {name: name for name in ("succeeded", "failed", "cancelled", "timed_out")}

CRON = Text(
    pattern=r"\s*(?:[0-9A-Za-z*/,?-]+\s+){4}[0-9A-Za-z*/,?-]+\s*",
    hint="a cron expression has five fields: minute hour day month weekday",
    strict=True,
)
ZONE = Text(at_most=64, pattern=r"[A-Za-z0-9_+/-]+", hint="it must be a name such as Europe/Berlin", strict=True)
EMAIL = Text(pattern=r"[^@\s]+@[^@\s]+", hint="it must be an email address", strict=True)
TOKEN = Text(
    pattern=rf"\$\{{{VARIABLE}\}}",
    hint="a token does not belong in a definition: name the variable that holds it, such as ${SLACK_TOKEN}",
    strict=True,
)
PATTERNS = ListOf(Text(at_most=200))
VERSION = Word({"1": "1", "1.0": "1"})

TRIGGER = Record(
    {
        "trigger_type": Key(Word(TRIGGER_TYPES), "What starts a run.", required=True),
        "config": Key(
            Record(
                {
                    "webhook_url": Key(URL, "The address the sender calls; for the reader, it is not called."),
                    "cron_expression": Key(CRON, "When a scheduled run starts: five fields."),
                    "timezone": Key(
                        ZONE, "The time zone of cron_expression, by its IANA name; UTC when it is left out."
                    ),
                    "branch_patterns": Key(PATTERNS, "Globs; a run starts only for a branch that matches one."),
                    "tag_patterns": Key(PATTERNS, "Globs; a run starts only for a tag that matches one."),
                    "repository": Key(Text(at_most=2000), "Only events of this repository, as owner/name."),
                    "events": Key(ListOf(Text(at_most=100)), "Only these events, such as opened or synchronize."),
                    "path": Key(Text(at_most=500), "Only changes below this path of the repository."),
                    "pipeline": Key(NAME, "The pipeline of this workspace whose end starts a run."),
                    "on": Key(ListOf(Word(ENDS)), "Which of its ends do; succeeded when it is left out."),
                }
            ),
            "Which events of this kind count; all when it is left out.",
        ),
    }
)
TARGET = Record(
    {
        "target_type": Key(Word(TARGET_TYPES), "How to tell.", required=True),
        "config": Key(
            Record(
                {
                    "email": Key(EMAIL, "Who to tell."),
                    "webhook_url": Key(URL, "The address to post to."),
                    "slack_channel": Key(Text(at_most=100), "The channel to write to."),
                    "slack_token": Key(TOKEN, "The variable that holds the token, as ${NAME}."),
                    "github_status": Key(Flag(), "Whether to set the commit's status."),
                }
            ),
            "Where to.",
        ),
    }
)
TARGETS = ListOf(TARGET, at_most=20)
NOTIFICATIONS = Record(
    {
        "on_start": Key(TARGETS, "Who hears that a run started."),
        "on_success": Key(TARGETS, "Who hears that a run succeeded."),
        "on_failure": Key(TARGETS, "Who hears that a run failed."),
    }
)
CONCURRENCY = Record(
    {
        "group": Key(Text(at_most=200), "Name of the group; may hold ${NAME}.", required=True),
        "cancel_in_progress": Key(Flag(), "Whether a newer run cancels the older ones.", default=False),
        "limit": Key(Number(1, 100), "How many runs of the group may go on at once.", default=1),
    }
)
INCLUDED = Record({"path": Key(PATH, "Path of the file in the repository.", required=True)})
INCLUDE = Either(PATH, ListOf(Either(PATH, INCLUDED), at_least=1, at_most=20))
STAGES = ListOf(STAGE, at_least=1, at_most=MAX_STAGES)
PART = Record(
    {
        "version": Key(VERSION, "Version of this language.", default="1"),
        "name": Key(NAME, "For the reader."),
        "description": Key(DESCRIPTION, "For the reader."),
        "include": Key(INCLUDE, "Further files of the repository whose stages are run too."),
        "stages": Key(STAGES, "Stages."),
    }
)
PIPELINE = Record(
    {
        "version": Key(VERSION, "Version of this language.", default="1"),
        "name": Key(NAME, "Name of the pipeline."),
        "description": Key(DESCRIPTION, "What the pipeline is for."),
        "type": Key(Word({"standard": "standard", "advanced": "advanced"}), "Accepted and without effect."),
        "triggers": Key(ListOf(Either(Word(TRIGGER_TYPES), TRIGGER), at_most=50), "What starts a run."),
        "environment": Key(ENVIRONMENT, "Variables of every step."),
        "variables": Key(ENVIRONMENT, "Another name for environment; both may be given."),
        "timeout": Key(TIMEOUT, "Seconds, or text such as 1h30m.", default=DEFAULT_TIMEOUT),
        "retry_count": Key(RETRIES, "How often a failed stage is run again.", default=0),
        "concurrency": Key(CONCURRENCY, "Which other runs this one waits for."),
        "notifications": Key(NOTIFICATIONS, "Who is told."),
        "include": Key(INCLUDE, "Files of the repository whose stages are run too."),
        "stages": Key(STAGES, "What the pipeline does; required unless it includes files."),
    }
)
