"""The schema of `runs.db` as numbered steps, appended to and never edited.

`PRAGMA user_version` holds the number of steps applied. A database with more steps than this program knows is
refused and left as it is.
"""

from __future__ import annotations

_VAULT = """
    CREATE TABLE vault_scores (
        run_id INTEGER PRIMARY KEY REFERENCES runs (id),
        state TEXT NOT NULL CHECK (state IN ('scoring', 'again', 'scored', 'unscored')),
        attempt INTEGER NOT NULL,
        failures INTEGER NOT NULL DEFAULT 0,
        slot TEXT NOT NULL,
        bpb REAL,
        reason TEXT NOT NULL,
        at TEXT NOT NULL
    );
    CREATE TABLE vault_verdicts (
        experiment_id INTEGER PRIMARY KEY REFERENCES experiments (id),
        at TEXT NOT NULL,
        sentence TEXT NOT NULL
    );
    ALTER TABLE experiments ADD COLUMN promoted_as TEXT NOT NULL DEFAULT '';
    """
"""Scores on the vault split, for people alone; and whether a promotion is a gain ('') or a simplification."""

_PAPERS = """
    CREATE TABLE papers (
        id TEXT PRIMARY KEY,
        title TEXT NOT NULL,
        summary TEXT NOT NULL,
        published TEXT NOT NULL,
        text TEXT,
        left_out INTEGER NOT NULL,
        at TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE paper_questions (
        question TEXT PRIMARY KEY,
        found TEXT NOT NULL,
        at TEXT NOT NULL
    ) WITHOUT ROWID;
    """
"""Papers that were looked up, by arXiv id, and which of them answered a question."""

_TEAMS = """
    CREATE TABLE team_masters (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        team TEXT NOT NULL,
        commit_id TEXT NOT NULL,
        experiment_id INTEGER NOT NULL REFERENCES experiments (id),
        at TEXT NOT NULL,
        UNIQUE (team, commit_id)
    );
    CREATE VIEW baselines AS
        SELECT commit_id, experiment_id FROM masters UNION SELECT commit_id, experiment_id FROM team_masters;
    ALTER TABLE experiments ADD COLUMN line TEXT NOT NULL DEFAULT '';
    ALTER TABLE calls ADD COLUMN team TEXT NOT NULL DEFAULT '';
    ALTER TABLE notes ADD COLUMN team TEXT NOT NULL DEFAULT '';
    CREATE INDEX experiments_by_team ON experiments (team, state);
    """
"""Teams that compete: whose call and whose note it was, whose master an experiment is for ('' is the lab's), and the
commits that a team's own master stood on. The view `baselines`
tells the experiment whose runs measured a commit of any master."""
_AGENTS_HELD = """
    ALTER TABLE agents ADD COLUMN paused_by TEXT NOT NULL DEFAULT '';
    ALTER TABLE agents ADD COLUMN rate REAL;
    """
"""Who has paused an agent ('': nobody), and the tokens a second of its reply at hand, or of its last one."""

_VOID = """
    ALTER TABLE runs ADD COLUMN void INTEGER NOT NULL DEFAULT 0;
    UPDATE runs SET void = 1 WHERE EXISTS (SELECT 1 FROM experiments AS e WHERE e.id = runs.experiment_id
        AND e.attempt = runs.attempt AND e.state = 'invalid');
    UPDATE experiments SET val_bpb = NULL, delta = NULL WHERE state = 'invalid';
    """
"""Runs of an attempt that was refused as invalid: what they scored is kept and counts nowhere."""

_GROUND = """
    ALTER TABLE experiments ADD COLUMN ground TEXT NOT NULL DEFAULT '';
    UPDATE experiments SET ground = ifnull((
        SELECT r.device FROM runs AS r WHERE r.experiment_id = experiments.id AND r.commit_id = experiments.commit_id
        AND r.attempt = experiments.attempt AND r.val_bpb IS NOT NULL AND NOT r.void GROUP BY r.device
        ORDER BY max(CASE r.kind WHEN 'screen' THEN r.id ELSE 0 END) DESC, count(*) DESC, min(r.id) LIMIT 1), '');
    UPDATE experiments SET val_bpb = (SELECT avg(r.val_bpb) FROM runs AS r WHERE r.experiment_id = experiments.id
        AND r.commit_id = experiments.commit_id AND r.attempt = experiments.attempt AND NOT r.void
        AND r.device = experiments.ground)
    WHERE EXISTS (SELECT 1 FROM runs WHERE runs.experiment_id = experiments.id);
    UPDATE experiments SET delta = val_bpb - (SELECT avg(r.val_bpb) FROM baselines
        JOIN experiments AS base ON base.id = baselines.experiment_id
        JOIN runs AS r ON r.experiment_id = base.id AND r.commit_id = base.commit_id AND r.attempt = base.attempt
        AND NOT r.void
        WHERE baselines.commit_id = experiments.parent AND r.device = experiments.ground)
    WHERE EXISTS (SELECT 1 FROM runs WHERE runs.experiment_id = experiments.id);
    """
"""The kind of device that an experiment's score is of: means over unlike devices are none."""

_CONDITIONS = """
    ALTER TABLE runs ADD COLUMN conditions TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN ground TEXT NOT NULL
        GENERATED ALWAYS AS (CASE conditions WHEN '' THEN device ELSE device || ' under ' || conditions END) VIRTUAL;
    """
"""The settings that a run was measured under, as a hash ('': not known), and with its device what it compares on."""

_TAKEN_OUT = """
    ALTER TABLE experiments ADD COLUMN taken_out_by INTEGER;
    UPDATE experiments SET taken_out_by = (
        SELECT max(id) FROM experiments AS other WHERE other.source = 'reversal of experiment ' || experiments.id
        AND other.decision = 'merge' AND other.state = 'promoted');
    UPDATE experiments SET taken_out_by = NULL
        WHERE taken_out_by IN (SELECT id FROM experiments WHERE taken_out_by IS NOT NULL);
    """
"""The revert by which master lost a win again."""

_ANOMALIES = """
    CREATE TABLE anomalies (
        seq INTEGER PRIMARY KEY REFERENCES events (seq),
        key TEXT NOT NULL,
        holds INTEGER NOT NULL DEFAULT 1
    );
    CREATE INDEX anomalies_by_key ON anomalies (key, seq);
    """
"""What an anomaly event tells of, where that can pass, and whether it holds."""

_SINCE = """
    ALTER TABLE agents ADD COLUMN since TEXT NOT NULL DEFAULT '';
    """
"""Since when an agent does what it does ('': not known)."""

_PUTS_BACK = """
    ALTER TABLE experiments ADD COLUMN puts_back INTEGER;
    UPDATE experiments SET puts_back = (
        SELECT CAST(substr(revert.source, length('reversal of experiment ') + 1) AS INTEGER) FROM experiments AS revert
        WHERE experiments.source = 'reversal of experiment ' || revert.id AND revert.decision = 'merge'
        AND revert.source LIKE 'reversal of experiment %')
        WHERE decision = 'merge';
    """
"""The win that a revert of its revert brings into master again."""

MIGRATIONS: tuple[str, ...] = (
    # 1: the frame
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

    CREATE TABLE experiments (
        id INTEGER PRIMARY KEY,
        title TEXT NOT NULL,
        hypothesis TEXT NOT NULL,
        source TEXT NOT NULL,
        variable TEXT NOT NULL,
        edit TEXT NOT NULL,
        author TEXT NOT NULL,
        team TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        priority INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        parent TEXT,
        branch TEXT,
        commit_id TEXT,
        patch TEXT,
        role_model TEXT NOT NULL,
        program TEXT,
        val_bpb REAL,
        delta REAL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL
    );
    CREATE INDEX experiments_by_state ON experiments (state, priority DESC, id);
    CREATE INDEX experiments_by_parent ON experiments (parent);
    CREATE INDEX experiments_by_program ON experiments (program);

    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        experiment_id INTEGER NOT NULL REFERENCES experiments (id),
        attempt INTEGER NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('baseline', 'screen', 'confirm')),
        seed INTEGER NOT NULL,
        commit_id TEXT NOT NULL,
        parent TEXT,
        slot TEXT NOT NULL,
        outcome TEXT,
        reason TEXT NOT NULL,
        val_bpb REAL,
        startup_seconds REAL,
        training_seconds REAL,
        scoring_seconds REAL,
        steps INTEGER,
        parameters INTEGER,
        peak_memory INTEGER,
        started_at TEXT NOT NULL,
        ended_at TEXT,
        tracked INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX runs_by_experiment ON runs (experiment_id);
    CREATE INDEX runs_by_commit ON runs (commit_id, seed);
    CREATE INDEX runs_underway ON runs (id) WHERE outcome IS NULL;

    CREATE TABLE masters (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        commit_id TEXT NOT NULL UNIQUE,
        experiment_id INTEGER NOT NULL REFERENCES experiments (id),
        at TEXT NOT NULL
    );

    CREATE TABLE events (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        actor TEXT NOT NULL,
        kind TEXT NOT NULL,
        experiment_id INTEGER,
        run_id INTEGER,
        before TEXT,
        after TEXT,
        reason TEXT NOT NULL
    );
    CREATE INDEX events_by_experiment ON events (experiment_id, seq);
    CREATE TRIGGER events_are_kept_as_written BEFORE UPDATE ON events
        BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
    CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
        BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

    CREATE TABLE commands (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        actor TEXT NOT NULL,
        verb TEXT NOT NULL,
        arguments TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'done', 'refused')),
        answer TEXT NOT NULL,
        answered_at TEXT
    );
    CREATE INDEX commands_waiting ON commands (id) WHERE state = 'waiting';

    CREATE TABLE agents (
        name TEXT PRIMARY KEY,
        role TEXT NOT NULL,
        team TEXT NOT NULL,
        model TEXT NOT NULL,
        state TEXT NOT NULL,
        job TEXT NOT NULL,
        experiment_id INTEGER,
        jobs_done INTEGER NOT NULL,
        jobs_failed INTEGER NOT NULL,
        tokens_in INTEGER NOT NULL,
        tokens_out INTEGER NOT NULL,
        updated_at TEXT NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE slots (
        name TEXT PRIMARY KEY,
        device TEXT NOT NULL,
        run_id INTEGER,
        phase TEXT NOT NULL,
        progress REAL,
        step INTEGER,
        loss REAL,
        utilisation REAL,
        memory_used INTEGER,
        memory_total INTEGER,
        temperature REAL,
        power REAL,
        updated_at TEXT NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE notes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        kind TEXT NOT NULL,
        author TEXT NOT NULL,
        text TEXT NOT NULL
    );
    CREATE TABLE letters (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        author TEXT NOT NULL,
        agent TEXT NOT NULL,
        text TEXT NOT NULL,
        read_at TEXT
    );
    """,
    # 2: where a score comes from
    """
    ALTER TABLE runs ADD COLUMN device TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN sandbox TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN tokens INTEGER;
    ALTER TABLE runs ADD COLUMN exit_code INTEGER;
    ALTER TABLE runs ADD COLUMN provenance TEXT NOT NULL DEFAULT '{}';
    """,
    # 3: earlier results from elsewhere; score is null for a crash, as it was measured there
    """
    CREATE TABLE history (
        id INTEGER PRIMARY KEY,
        commit_id TEXT NOT NULL,
        score REAL,
        memory_gb REAL NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('keep', 'discard', 'crash')),
        description TEXT NOT NULL,
        idea TEXT NOT NULL,
        bare_idea TEXT NOT NULL,
        origin TEXT NOT NULL,
        imported_at TEXT NOT NULL
    );
    CREATE UNIQUE INDEX history_once ON history (commit_id, status, description, ifnull(score, 0), memory_gb);
    CREATE INDEX history_by_idea ON history (idea);
    CREATE INDEX history_by_bare_idea ON history (bare_idea);
    """,
    # 4: early stopping: what a run was condemned for, and whether it is finished all the same
    """
    CREATE TABLE condemned (
        run_id INTEGER PRIMARY KEY REFERENCES runs (id),
        at TEXT NOT NULL,
        share REAL NOT NULL,
        audited INTEGER NOT NULL,
        reason TEXT NOT NULL,
        seconds_saved REAL NOT NULL DEFAULT 0
    );
    ALTER TABLE slots ADD COLUMN verdict TEXT NOT NULL DEFAULT '';
    """,
    # 5: what a person has decided about an experiment before it is measured
    """
    ALTER TABLE experiments ADD COLUMN decision TEXT NOT NULL DEFAULT '';
    """,
    # 6: every call of a model
    """
    CREATE TABLE calls (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        agent TEXT NOT NULL,
        role TEXT NOT NULL,
        job TEXT NOT NULL,
        experiment_id INTEGER,
        model TEXT NOT NULL,
        prompt_hash TEXT NOT NULL,
        reply TEXT NOT NULL,
        tool_calls TEXT NOT NULL,
        tokens_in INTEGER NOT NULL,
        tokens_out INTEGER NOT NULL,
        estimated INTEGER NOT NULL,
        money REAL NOT NULL,
        seconds REAL NOT NULL,
        first_token_seconds REAL,
        finish_reason TEXT NOT NULL,
        outcome TEXT NOT NULL,
        troubles TEXT NOT NULL
    );
    CREATE INDEX calls_by_agent ON calls (agent, id);
    CREATE INDEX calls_by_experiment ON calls (experiment_id, id);
    """,
    # 7: the vault, and promotions that only simplify
    _VAULT,
    # 8: papers that were looked up
    _PAPERS,
    # 9: agents that a person pauses; how fast their models write
    _AGENTS_HELD,
    # 10: teams that compete
    _TEAMS,
    # 11: scores that count nowhere
    _VOID,
    # 12: scores of one kind of device
    _GROUND,
    # 13: scores of one set of settings
    _CONDITIONS,
    # 14: wins that were taken out of master again
    _TAKEN_OUT,
    # 15: anomalies that are over
    _ANOMALIES,
    # 16: since when agents are at their jobs
    _SINCE,
    # 17: wins that are put back
    _PUTS_BACK,
)
