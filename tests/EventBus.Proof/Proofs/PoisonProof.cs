namespace EventBus.Proof;

/// <summary>
/// Publishes ten thousand poison events among ninety thousand good ones while processes are killed, and proves that
/// each poison event is attempted four times and becomes one dead letter with an alert.
/// </summary>
internal sealed class PoisonProof : Proof
{
    private const string Subscription = "worker";

    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(50);

    public override string Name => "poison";

    public override void Configure(EventBusBuilder bus, VictimSettings settings, Journal journal)
    {
        bus.Retry(3, FirstDelay);
        bus.AddAlert<JournalAlert>();
        bus.Subscribe(Subscription, s => s.On<Job>((job, context, ct) => HandleAsync(job, context, journal)));
        Buses.WrapStores(bus, ShortAlertLeases.Wrap);
    }

    public override async Task RunAsync(Stage stage, Findings findings)
    {
        var (events, poison, flaky, deadly, kills) = (
            stage.Run.Size(100_000, 1_000),
            stage.Run.Size(10_000, 100),
            stage.Run.Size(1_000, 20),
            stage.Run.Size(10, 1),
            stage.Run.Size(20, 3));
        JobKind[] kinds =
        [
            .. Enumerable.Repeat(JobKind.Poison, poison),
            .. Enumerable.Repeat(JobKind.Flaky, flaky),
            .. Enumerable.Repeat(JobKind.Deadly, deadly),
            .. Enumerable.Repeat(JobKind.Good, events - poison - flaky - deadly),
        ];
        stage.Random.Shuffle(kinds);
        var faults = Fault.Plan(stage.Random, events + (3 * poison), kills);
        await stage.Redis.StartAsync();
        await stage.StartVictimsAsync(1);

        await using var publisher = await Publishing.StartAsync(stage.Settings, bus => bus.Publishes<Job>(), events);
        var publishing = publisher.PublishAsync(kinds.Select((kind, i) => ((long)i, new Job(i, kind))));
        var (handled, alerted) = (new HashSet<long>(), new HashSet<long>());
        await using var probe = await StoreProbe.OpenAsync(stage.Settings);
        try
        {
            await stage.RunAsync(
                "Good events handled, all others dead-lettered with an alert, no work left",
                faults,
                entry => (entry.Kind == Kind.End ? handled : entry.Kind == Kind.Alert ? alerted : []).Add(entry.A),
                async () => publishing.IsCompleted && handled.Count >= events - poison - deadly && alerted.Count >= poison + deadly
                    && await stage.Redis.IsIdleAsync("job", $"{stage.Settings.Service}:{Subscription}"));
            await publishing;
            await stage.StopVictimsAsync();
        }
        catch (Exception exception) when (exception is ProofException or TimeoutException)
        {
            findings.Fail(exception.Message);
        }

        var dead = (await probe.DeadAsync()).ConvertAll(entry => new Dead(Numbers.Of(entry.Id), entry.Reason, entry.Attempts));
        DeliveryCheck.Run(findings, publisher.Outcomes, stage.Journals.Entries, dead.Select(letter => letter.Number).ToHashSet());
        var mayRepeat = stage.Run.Store == "native";
        PoisonCheck.Run(findings, kinds, stage.Journals.Entries, dead, publisher.PublishedAt, stage.Deaths, mayRepeat);
        findings.Exactly("stuck in the failure store", 0, await probe.CountAsync() - dead.Count);
    }

    private static async Task HandleAsync(Job job, EventContext context, Journal journal)
    {
        journal.Write(Kind.Start, job.Number, context.Attempt);
        switch (job.Kind)
        {
            case JobKind.Poison:
            case JobKind.Flaky when context.Attempt == 1:
                journal.Write(Kind.Throw, job.Number, context.Attempt);
                throw new PlannedException("poison");
            case JobKind.Deadly when job.Number % 2 == 0:
                Environment.FailFast("A job that ends its process.");
                break;
            case JobKind.Deadly:
                Native.KillSelf();
                break;
            default:
                // Some handlers take longer, so that a kill interrupts running handlers.
                await (job.Number % 16 == 0 ? RealTime.PassAsync(TimeSpan.FromMilliseconds(2)) : Task.CompletedTask);
                journal.Write(Kind.End, job.Number, context.Attempt);
                break;
        }
    }
}
