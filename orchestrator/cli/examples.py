"""One example for each verb that takes more than an experiment's number and a lab; its help ends with it."""

from __future__ import annotations

EXAMPLES = {
    "init": "autolab init my-lab --profile cpu",
    "run": "autolab run my-lab --experiments 10",
    "queue": "autolab queue --where 'title~muon'",
    "results": "autolab results --where 'state=discarded age<2h'",
    "export": "autolab export --format csv > results.csv",
    "add": "autolab add --title Heads --hypothesis 'Four see more' --patch a.diff",
    "import": "autolab import my-lab results.tsv",
    "pause": "autolab pause 12",
    "resume": "autolab resume 12",
    "requeue": "autolab requeue 12 --patch better.diff",
    "set": "autolab set team.wave 5",
    "paper": "autolab paper 2104.09864",
    "pick": "autolab pick 12 master",
    "priority": "autolab priority 12 200",
    "message": "autolab message researcher 'Try smaller batches'",
}
