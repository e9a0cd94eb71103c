using System.Text.Json;

namespace EventBus.Proof;

/// <summary>
/// Proves that follow-up events of a failed attempt are never sent and those of a successful one are never lost, with
/// handlers that publish and then fail, or whose process is killed at any point between the effect and the
/// acknowledgement.
/// </summary>
internal sealed class UnconfirmedEventsProof : Proof
{
    private const string ErrandSubscription = "errands";
    private const string ChoreSubscription = "chores";
    private const int Reports = 2;
    private const int Processes = 6;

    // The number of an attempt contains the process, and a number within the process in this many lower bits.
    private const int ProcessBits = 24;

    // The handler fails always, fails once, or is killed at one of the five points.
    private const int Fates = 7;

    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromMilliseconds(100);
    private static readonly Failpoint[] Points = [
        Failpoint.BeforeEffect,
        Failpoint.BeforeCommit,
        Failpoint.BeforeDispatch,
        Failpoint.AfterDispatch,
        Failpoint.BeforeAcknowledge
    ];

    private static int lastRun;

    public override string Name => "ghosts";

    public override void Configure(EventBusBuilder bus, VictimSettings settings, Journal journal)
    {
        // More retries than usual: an event also loses attempts when its process is killed for another event.
        bus.Retry(12, FirstDelay).Configure(options => options.Retry.MaxDelay = LongestDelay);
        var killer = new ProcessKiller(settings.Folder, journal);
        bus.Publishes<Report>();
        bus.Subscribe(
            ErrandSubscription,
            s => s.Idempotent().On<Errand>((errand, context, ct) => HandleAsync(errand.Number, context, journal, killer)));
        bus.Subscribe(
            ChoreSubscription,
            s => s.On<Chore>((chore, context, ct) => HandleAsync(chore.Number, context, journal, killer)));
        Buses.WrapStores(bus, stores => new ProofStores(stores, processed: new WatchedProcessedStore(
            stores.Processed!,
            journal,
            (point, id) => killer.At(point, PointOf(Numbers.Of(id)), Numbers.Of(id)))));
        Buses.WrapTransport(bus, transport => new WatchedTransport(transport, (point, id) =>
        {
            if (IsChore(Numbers.Of(id)))
            {
                killer.At(point, PointOf(Numbers.Of(id)), Numbers.Of(id));
            }
        }));
    }

    public override async Task RunAsync(Stage stage, Findings findings)
    {
        var events = stage.Run.Size(1_000, 42);
        stage.Settings = stage.Settings with { Concurrency = 4, LeaseMilliseconds = 1_000 };
        await stage.Redis.StartAsync();
        await stage.StartVictimsAsync(Processes);
        var numbers = Enumerable.Range(0, events).Select(number => (long)number).ToArray();
        stage.Random.Shuffle(numbers);
        await using var publisher = await Publishing.StartAsync(stage.Settings, bus => bus.Publishes<Errand>().Publishes<Chore>(), events);
        await publisher.PublishAsync(numbers.Where(number => !IsChore(number)).Select(number => (number, new Errand(number))));
        await publisher.PublishAsync(numbers.Where(IsChore).Select(number => (number, new Chore(number))));
        await using var probe = await StoreProbe.OpenAsync(stage.Settings);
        var failing = numbers.Where(number => number % Fates == 0).ToHashSet();
        var handled = new HashSet<long>();
        try
        {
            await stage.RunAsync(
                "Every event handled or dead-lettered, no work left",
                new Queue<Fault>(),
                entry => (entry.Kind == Kind.End ? handled : []).Add(entry.A),
                async () => handled.Count >= events - failing.Count
                    && await stage.Redis.IsIdleAsync("errand", $"{stage.Settings.Service}:{ErrandSubscription}")
                    && await stage.Redis.IsIdleAsync("chore", $"{stage.Settings.Service}:{ChoreSubscription}")
                    && await probe.CountAsync() == await probe.Failures.DeadLetters.CountAsync(
                        new DeadLetterFilter(),
                        CancellationToken.None));
            await stage.StopVictimsAsync();
        }
        catch (Exception exception) when (exception is ProofException or TimeoutException)
        {
            findings.Fail(exception.Message);
        }

        var dead = (await probe.DeadAsync()).Select(entry => Numbers.Of(entry.Id)).ToHashSet();
        var entries = stage.Journals.Entries;
        DeliveryCheck.Run(findings, publisher.Outcomes, entries, dead);
        findings.None("handled although the handler fails", failing.Where(handled.Contains));
        findings.None("dead although the handler succeeds", dead.Where(number => !failing.Contains(number)).Select(
            number => $"{number} after {entries.Count(entry => entry.Kind == Kind.Start && entry.A == number)} attempts"));
        findings.Exactly("dead letters", failing.Count, dead.Count);
        var killed = entries.Where(entry => entry.Kind == Kind.SelfKill).ToList();
        findings.Note("killed at", string.Join(
            "  ",
            killed.GroupBy(entry => (Failpoint)entry.B).OrderBy(group => group.Key).Select(group => $"{group.Key}: {group.Count():N0}")));

        // A process may be killed after the commit of an event and before the answer. The process that resumes the
        // event has nothing left to do.
        var deaths = killed.Select(entry => entry.C).ToHashSet();
        var cutOff = entries.Where(entry => entry.Kind == Kind.End && deaths.Contains(entry.C >> ProcessBits))
            .Select(entry => entry.A)
            .ToHashSet();
        var notKilled = numbers.Where(number => PointOf(number) != Failpoint.None).Except(ProcessKiller.Reached(stage.Folder)).ToList();
        findings.Note("killed for another event", $"{notKilled.Count(cutOff.Contains):N0} before their point");
        findings.None("not killed, though planned", notKilled.Where(number => !cutOff.Contains(number)));
        var succeeding = numbers.Where(number => !failing.Contains(number)).ToHashSet();
        var failedRuns = entries.Where(entry => entry.Kind == Kind.Throw).Select(entry => entry.C).ToHashSet();
        UnconfirmedEventCheck.Run(
            findings,
            await ReportsAsync(stage),
            failedRuns,
            succeeding,
            succeeding.Where(number => !IsChore(number)).ToHashSet(),
            Reports);
        findings.None(
            "stuck leases (not done)",
            await probe.NotDoneAsync(ErrandSubscription, succeeding.Where(number => !IsChore(number))));
    }

    private static async Task HandleAsync(long number, EventContext context, Journal journal, ProcessKiller killer)
    {
        var run = ((long)Environment.ProcessId << ProcessBits) | (long)Interlocked.Increment(ref lastRun);
        journal.Write(Kind.Start, number, context.Attempt, run);
        killer.At(Failpoint.BeforeEffect, PointOf(number), number);
        for (var ordinal = 1; ordinal <= Reports; ordinal++)
        {
            await context.PublishAsync(new Report(number, ordinal, run));
        }

        if (number % Fates == 0 || (number % Fates == 1 && context.Attempt == 1))
        {
            journal.Write(Kind.Throw, number, context.Attempt, run);
            throw new PlannedException("the handler fails after its publishes");
        }

        journal.Write(Kind.End, number, context.Attempt, run);
    }

    private static bool IsChore(long number) => number / Fates % 3 == 2;

    /// <summary>Returns the point at which the process ends. Without a commit there are fewer points.</summary>
    private static Failpoint PointOf(long number) => (number % Fates) switch
    {
        0 or 1 => Failpoint.None,
        var index when !IsChore(number) => Points[index - 2],
        2 => Failpoint.BeforeEffect,
        3 or 4 => Failpoint.BeforeDispatch,
        _ => Failpoint.AfterDispatch,
    };

    /// <summary>Reads all events that handlers published from the stream itself.</summary>
    private static async Task<List<Published>> ReportsAsync(Stage stage)
    {
        var entries = await stage.Redis.Database.StreamRangeAsync(Buses.StreamOf("report"));
        return [.. entries.Select(entry =>
        {
            var report = JsonSerializer.Deserialize<Report>((byte[])entry["data"]!, JsonSerializerOptions.Web)!;
            return new Published((string)entry["id"]!, report.Parent, report.Ordinal, report.Run);
        })];
    }
}
