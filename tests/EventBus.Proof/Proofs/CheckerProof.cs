namespace EventBus.Proof;

/// <summary>
/// Tests the checkers: a correct history passes, and each mistake planted in it is reported by its name.
/// </summary>
internal sealed class CheckerProof : Proof
{
    public override string Name => "checker";

    public override IReadOnlyList<string> Stores => ["memory"];

    public override Task RunAsync(Stage stage, Findings findings)
    {
        Deliveries(findings);
        Ledgers(findings);
        Recoveries(findings);
        Poison(findings);
        Effects(findings);
        Order(findings);
        UnconfirmedEvents(findings);
        SagaMistakes.Run(findings);
        FuzzMistakes.Run(findings);
        return Task.CompletedTask;
    }

    private static void Deliveries(Findings findings)
    {
        Outcome[] outcomes = [Outcome.Accepted, Outcome.Accepted, Outcome.InDoubt, Outcome.Failed];
        var clean = History((Kind.Start, 0, 1, 0), (Kind.End, 0, 1, 0), (Kind.Start, 2, 1, 0), (Kind.End, 2, 1, 0));
        Expect(findings, "deliveries", null, found => DeliveryCheck.Run(found, outcomes, clean, new HashSet<long> { 1 }));
        Expect(findings, "an event that is lost", "lost: 1", found => DeliveryCheck.Run(found, outcomes, clean, new HashSet<long>()));
        Expect(
            findings,
            "a refused event that arrived",
            "unexpected: 3",
            found => DeliveryCheck.Run(found, outcomes, With(clean, Kind.Start, 3, 1, 0), new HashSet<long> { 1 }));
        Expect(
            findings,
            "an event that was not published",
            "unexpected: 9",
            found => DeliveryCheck.Run(found, outcomes, With(clean, Kind.Start, 9, 1, 0), new HashSet<long> { 1 }));
    }

    private static void Ledgers(Findings findings)
    {
        var clean = new Ledger
        {
            Outcomes = [Outcome.Accepted, Outcome.Accepted, Outcome.InDoubt, Outcome.InDoubt, Outcome.Failed],
            Entries = History((Kind.Start, 0, 1, 0), (Kind.Start, 0, 1, 0), (Kind.Start, 1, 1, 0), (Kind.Start, 2, 1, 0)),
            Effects = new Dictionary<long, int> { [0] = 1, [1] = 1, [2] = 1 },
            Dead = new HashSet<long>(),
            Stuck = [],
            LongestCall = TimeSpan.FromSeconds(10.9),
            Deadline = TimeSpan.FromSeconds(10),
        };
        Check("a ledger", null, clean);
        Check("an accepted event without an effect", "lost: 1", clean with { Effects = new Dictionary<long, int> { [0] = 1, [2] = 1 } });
        Check("an effect in two commits", "duplicate effects: 1", clean with { Effects = new Dictionary<long, int> { [0] = 1, [1] = 2 } });
        Check(
            "a refused event that took effect",
            "unexpected: 4",
            clean with { Effects = new Dictionary<long, int> { [0] = 1, [1] = 1, [4] = 1 } });
        Check("a refused event that was started", "unexpected: 4", clean with { Entries = With([.. clean.Entries], Kind.Start, 4, 1, 0) });
        Check("a dead letter that nothing explains", "dead letters: 1", clean with { Dead = new HashSet<long> { 1 } });
        Check("remaining work", "stuck: a queue", clean with { Stuck = ["a queue"] });
        Check("a call that exceeds its deadline", "longest call: 11.10 s", clean with { LongestCall = TimeSpan.FromSeconds(11.1) });

        void Check(string mistake, string? reported, Ledger ledger) =>
            Expect(findings, mistake, reported, found => LedgerCheck.Run(found, ledger));
    }

    private static void Recoveries(Findings findings)
    {
        var (soon, late) = (TimeSpan.FromSeconds(2.9), TimeSpan.FromSeconds(3.1));
        FaultRound[] clean = [.. Enumerable.Repeat(new FaultRound("RST", soon), 199), new("FIN", late)];
        Check("recoveries, one of two hundred late", null, clean);
        Check("more than one in a hundred late", "recovery p99: 3.10 s", [.. clean, new("RST", late), new("RST", late)]);
        Check("the only one late", "recovery p99: 3.10 s", clean[^1..]);
        Check("a listener that receives nothing", "listeners silently dead: RST (no. 201)", [.. clean, new("RST", null)]);
        Check("a call that exceeds its deadline", "longest call: 3.10 s", clean, 3.1);

        void Check(string mistake, string? reported, FaultRound[] rounds, double longest = 2.9) =>
            Expect(
                findings,
                mistake,
                reported,
                found => RecoveryCheck.Run(found, rounds, TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(longest), TimeSpan.FromSeconds(2)));
    }

    private static void Poison(Findings findings)
    {
        JobKind[] kinds = [JobKind.Flaky, JobKind.Poison, JobKind.Deadly];
        var clean = History(
            (Kind.Start, 0, 1, 0),
            (Kind.End, 0, 1, 0),
            (Kind.Start, 1, 1, 0),
            (Kind.Start, 1, 2, 0),
            (Kind.Start, 1, 3, 0),
            (Kind.Start, 1, 4, 0),
            (Kind.Start, 2, 1, 0),
            (Kind.Start, 2, 2, 0),
            (Kind.Start, 2, 3, 0),
            (Kind.Start, 2, 4, 0),
            (Kind.Alert, 1, 0, 0),
            (Kind.Alert, 2, 0, 0));
        Dead[] dead = [new(1, DeadLetterReason.HandlerFailed, 4), new(2, DeadLetterReason.ProcessEnded, 4)];
        var start = clean.FindIndex(entry => entry is { Kind: Kind.Start, A: 1, B: 3 });
        Check("poison", null, clean, dead);
        Check("a fifth attempt", "poison: too many attempts: 1", With(clean, Kind.Start, 1, 5, 0), dead);
        Check("an attempt too few, without a kill", "poison: too few attempts: 1", [.. clean.Where((_, i) => i != start)], dead);
        Expect(
            findings,
            "an attempt too few, because of a kill",
            null,
            found => PoisonCheck.Run(found, kinds, [.. clean.Where((_, i) => i != start)], dead, [0, 0, 0], [clean[start].At]));
        Check("a dead letter that is missing", "poison: no dead letter: 1", clean, dead[1..]);
        Check("two dead letters of one event", "events with two dead letters: 1", clean, [.. dead, dead[0]]);
        Check(
            "a dead letter of a harmless event",
            "dead letters of harmless events: 0",
            With(clean, Kind.Alert, 0, 0, 0),
            [.. dead, new(0, DeadLetterReason.HandlerFailed, 4)]);
        Check("an alert that is missing", "dead letters without an alert: 2", clean[..^1], dead);
        Check(
            "a deadly event with another reason",
            "deadly: another reason: 2",
            clean,
            [dead[0], dead[1] with { Reason = DeadLetterReason.HandlerFailed }]);

        void Check(string mistake, string? reported, List<Entry> entries, Dead[] letters) =>
            Expect(findings, mistake, reported, found => PoisonCheck.Run(found, kinds, entries, letters, [0, 0, 0], []));
    }

    private static void Effects(Findings findings)
    {
        var clean = History(
            (Kind.Start, 0, 1, 1),
            (Kind.Start, 1, 1, 1),
            (Kind.Effect, 0, 1, 1),
            (Kind.Start, 1, 1, 2),
            (Kind.Effect, 1, 1, 2),
            (Kind.Effect, 1, 1, 1),
            (Kind.Commit, 0, 1, 0),
            (Kind.Commit, 1, 2, 0));
        Check("effects", null, clean, null);
        Check(
            "an effect that is missing",
            "effects that the resource accepted",
            [.. clean.Where(entry => entry.Kind != Kind.Effect || entry.A != 0)],
            null);
        Check("an attempt after the commit", "started again after its commit: 0", With(clean, Kind.Start, 0, 2, 2), null);
        Check("two commits", "committed twice: 1", With(clean, Kind.Commit, 1, 3, 0), null);
        Check(
            "a fencing token that is used twice",
            "fencing tokens used twice: 1",
            With(clean[..4], Kind.Start, 1, 2, 2),
            null,
            events: 1);
        Check(
            "an attempt with a lower token, without a freeze",
            "claims lost before the start: 1",
            With(clean, Kind.Start, 1, 2, 1),
            null);
        Expect(
            findings,
            "an attempt with a lower token, after a freeze",
            null,
            found => EffectCheck.Run(found, With(clean, Kind.Start, 1, 2, 1), null, 2, mayBeOvertaken: 1));
        Check("an effect in two transactions", "duplicate effects: 1", clean, new() { [0] = 1, [1] = 2 });

        void Check(string mistake, string? reported, List<Entry> entries, Dictionary<long, int>? rows, int events = 2) =>
            Expect(findings, mistake, reported, found => EffectCheck.Run(found, entries, rows, events));
    }

    private static void Order(Findings findings)
    {
        var clean = History(
            (Kind.Start, 0, 1, 1),
            (Kind.End, 0, 1, 1),
            (Kind.Start, 0, 2, 1),
            (Kind.Throw, 0, 2, 1),
            (Kind.Start, 0, 2, 2),
            (Kind.End, 0, 2, 2),
            (Kind.Start, 0, 3, 1),
            (Kind.End, 0, 3, 1));
        var again = History(
            (Kind.Start, 0, 2, 1),
            (Kind.End, 0, 2, 1),
            (Kind.Start, 0, 3, 1),
            (Kind.End, 0, 3, 1)).ConvertAll(entry => entry with { At = entry.At + 1_000, Process = 1 });
        Check("order", null, clean);
        Check("a key restarted by the next process", null, [.. clean, .. again]);
        var retried = clean.Select(entry => entry with { Process = entry.C > 1 ? 1 : 0 }).Take(6);
        Check("a key restarted by the process of a retry", null, [.. retried, .. again]);
        Check(
            "a key restarted by its own process after a retry elsewhere",
            "order violations: key 0 started 1 after 2",
            [.. retried, .. clean.Take(2).Select(entry => entry with { At = entry.At + 500 }), .. again]);
        Check("the same, ordered by numbers", "order violations: key 0 started 2 after 3", [.. clean, .. again], mayRepeat: false);
        Check(
            "an event that overtakes a failed one",
            "order violations: key 0 started 3 before 2 was handled",
            [.. clean.Take(4), .. clean.Skip(6), .. clean.Skip(4).Take(2)],
            inTurn: true);
        Check("two at once", "order violations: key 0 started 1 during 1", [clean[0], .. clean], inTurn: true);
        Check(
            "an event that is repeated later",
            "order violations: key 0 started 1 after 3",
            [.. clean, .. History((Kind.Start, 0, 1, 1)).ConvertAll(entry => entry with { At = 2_000 })]);
        Check("a key that is stuck", "stuck keys: 0 after 2", clean[..^2]);

        void Check(string mistake, string? reported, List<Entry> entries, bool mayRepeat = true, bool inTurn = false) =>
            Expect(findings, mistake, reported, found => OrderCheck.Run(
                found,
                inTurn ? [.. entries.Select((entry, i) => entry with { At = i })] : entries,
                1,
                3,
                mayRepeat));
    }

    private static void UnconfirmedEvents(Findings findings)
    {
        Published[] clean = [new("a", 1, 1, 10), new("b", 1, 2, 10), new("a", 1, 1, 10)];
        Check("ghosts", null, clean);
        Check("an event of a failing handler", "ghosts: of a failing handler: c", [.. clean, new("c", 2, 1, 20)]);
        Check("an event of a failed attempt", "ghosts: of a failed attempt: a", [.. clean, new("a", 1, 1, 9)]);
        Check("an event that is missing", "lost after success: 1", clean[..1]);
        Check("another id", "ids that differ between attempts: 1", [.. clean, new("d", 1, 2, 10)]);
        Check("one id for two events", "ids used twice: a", [clean[0], new("a", 1, 2, 10)]);
        Check("events of two attempts", "committed events of two attempts: 1", [.. clean, new("b", 1, 2, 11)]);

        void Check(string mistake, string? reported, Published[] published) =>
            Expect(findings, mistake, reported, found => UnconfirmedEventCheck.Run(
                found,
                published,
                new HashSet<long> { 9 },
                new HashSet<long> { 1 },
                new HashSet<long> { 1 },
                each: 2));
    }

    internal static void Expect(Findings findings, string mistake, string? reported, Action<Findings> check)
    {
        var found = new Findings();
        check(found);
        var report = found.Passed ? "nothing" : string.Join("; ", found.Broken);
        findings.Demand(
            reported is null ? found.Passed : found.Broken.Any(reason => reason.Contains(reported, StringComparison.Ordinal)),
            reported is null ? $"{mistake}: clean" : $"planted: {mistake}",
            reported is null ? $"reported {report}" : report);
    }

    private static List<Entry> History(params (char Kind, long A, long B, long C)[] steps) =>
        [.. steps.Select((step, i) => new Entry((i + 1) * 10, 0, step.Kind, step.A, step.B, step.C))];

    private static List<Entry> With(List<Entry> entries, char kind, long a, long b, long c) =>
        [.. entries, new Entry(entries[^1].At + 10, 0, kind, a, b, c)];
}
