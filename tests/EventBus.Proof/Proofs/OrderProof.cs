namespace EventBus.Proof;

/// <summary>
/// Proves that each of a thousand keys with a thousand events keeps its order, while one attempt in a hundred fails and
/// processes are killed.
/// </summary>
internal sealed class OrderProof(bool sequenced) : Proof
{
    private const string Subscription = "walker";
    private const int Partitions = 8;
    private const int Window = 100;
    private const int FailsOneIn = 100;

    // On Kafka several are active at once, each for its partitions.
    private const int KafkaProcesses = 3;

    public override string Name => sequenced ? "sequenced" : "order";

    public override IReadOnlyList<string> Stores => sequenced ? ["sqlite", "redis"] : ["sqlite"];

    public override IReadOnlyList<string> Transports => sequenced ? ["redis"] : ["rabbitmq", "kafka"];

    public override void Configure(EventBusBuilder bus, VictimSettings settings, Journal journal)
    {
        bus.Retry(3, TimeSpan.FromMilliseconds(20));
        Declare(bus);
        bus.Subscribe(Subscription, s =>
        {
            _ = sequenced ? s.Sequenced<Step>(step => step.Number) : s.Ordered();
            s.Concurrency(Partitions).On<Step>((step, context, ct) => HandleAsync(step, context, journal, settings.Seed));
        });
    }

    public override async Task RunAsync(Stage stage, Findings findings)
    {
        var (keys, length) = sequenced
            ? (stage.Run.Size(1_000, 40), stage.Run.Size(1_000, 25))
            : (stage.Run.Size(1_000, 100), stage.Run.Size(1_000, 50));
        var faults = Fault.Plan(stage.Random, (long)keys * length, stage.Run.Size(10, 2));

        // Interleaved, and shuffled within a window if numbers determine the order. The last event of each key follows
        // after all faults: redelivered events were handled before it.
        var (most, last) = (new List<(long Place, Step Step)>(), new List<Step>());
        for (var i = 0L; i < (long)keys * length; i++)
        {
            var step = new Step((int)(i % keys), (i / keys) + 1);
            if (step.Number == length)
            {
                last.Add(step);
            }
            else
            {
                most.Add((sequenced ? i + stage.Random.Next(Window) : i, step));
            }
        }

        await stage.StartBrokerAsync();
        await stage.StartVictimsAsync(stage.Run.OverKafka ? KafkaProcesses : 1);
        await using var publisher = await Publishing.StartAsync(stage.Settings, Declare, keys * length);
        await using var probe = await StoreProbe.OpenAsync(stage.Settings);
        var handled = new HashSet<(long Key, long Number)>();
        try
        {
            var publishing = publisher.PublishAsync(most.OrderBy(item => item.Place).Select(item => (Index(item.Step), item.Step)));
            await HandledAsync("All but the last of each key handled", publishing, most.Count);
            publishing = publisher.PublishAsync(last.Select(step => (Index(step), step)));
            await HandledAsync("The last of each key handled", publishing, (long)keys * length);
            await Until.TrueAsync(
                "The failure store is empty",
                TimeSpan.FromSeconds(30),
                async () => await probe.CountAsync() == 0);
            await stage.StopVictimsAsync();
        }
        catch (Exception exception) when (exception is ProofException or TimeoutException)
        {
            findings.Fail(exception.Message);
        }

        findings.Note("keys, events of each", $"{keys:N0}, {length:N0}");
        findings.None(
            "not accepted",
            publisher.Outcomes.Index().Where(item => item.Item != Outcome.Accepted).Select(item => (long)item.Index));
        OrderCheck.Run(findings, stage.Journals.Entries, keys, length, mayRepeat: !sequenced);
        findings.Exactly("stuck in the failure store", 0, await probe.CountAsync());

        long Index(Step step) => (step.Key * (long)length) + step.Number - 1;

        async Task HandledAsync(string what, Task publishing, long count)
        {
            await stage.RunAsync(
                what,
                faults,
                entry => (entry.Kind == Kind.End ? handled : []).Add((entry.A, entry.B)),
                async () => publishing.IsCompleted
                    && handled.Count >= count
                    && (!sequenced || await stage.Redis.IsIdleAsync("step", $"{stage.Settings.Service}:{Subscription}")));
            await publishing;
        }
    }

    private static void Declare(EventBusBuilder bus) => bus.Event<Step>().KeyedBy(step => $"key-{step.Key}");

    private static async Task HandleAsync(Step step, EventContext context, Journal journal, int seed)
    {
        journal.Write(Kind.Start, step.Key, step.Number, context.Attempt);

        // Yields the thread, so that other events could overtake this one.
        await Task.Yield();
        if (context.Attempt == 1 && new Random(HashCode(seed, step)).Next(FailsOneIn) == 0)
        {
            journal.Write(Kind.Throw, step.Key, step.Number, context.Attempt);
            throw new PlannedException("one attempt in a hundred fails");
        }

        journal.Write(Kind.End, step.Key, step.Number, context.Attempt);
    }

    /// <summary>Returns the same value in each process, unlike the hash code of the runtime.</summary>
    private static int HashCode(int seed, Step step) =>
        unchecked((seed * 486_187_739) + (step.Key * 16_777_619) + ((int)step.Number * 2_654_435));
}
