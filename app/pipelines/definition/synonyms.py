"""The words that files use for kinds of triggers, steps and targets, and the one that each stands for."""

from typing import Final

TRIGGER_TYPES: Final = {
    "manual": "manual",
    "webhook": "webhook",
    "schedule": "schedule",
    "scheduled": "schedule",
    "git_push": "git_push",
    "push": "git_push",
    "pull_request": "pull_request",
    "git_tag": "git_tag",
    "tag": "git_tag",
    "pipeline": "pipeline",
}
STEP_TYPES: Final = {
    "shell": "shell",
    "docker": "docker",
    "kubernetes": "kubernetes",
    "aws": "aws",
    "a_w_s": "aws",
    "azure": "azure",
    "gcp": "gcp",
    "g_c_p": "gcp",
    "github": "github",
    "git_hub": "github",
    "gitlab": "gitlab",
    "git_lab": "gitlab",
    "custom": "custom",
}
TARGET_TYPES: Final = {
    "email": "email",
    "slack": "slack",
    "webhook": "webhook",
    "github": "github",
    "git_hub": "github",
}
