namespace EventBus.Proof;

/// <summary>
/// Proves that harmless events are handled and only the causes become dead letters when events of two subscriptions are
/// retried concurrently and one event of each ends the process.
/// </summary>
internal sealed class NeighboursProof : Proof
{
    // Even numbers are jobs of the first subscription, odd numbers are duties of the second. The positions of the
    // events that end the process make each run together with harmless events of the other subscription.
    private static readonly int[] Deadly = [4, 7];

    // Late enough that all events wait for their retry, and are due together.
    private static readonly TimeSpan FirstDelay = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Work = TimeSpan.FromMilliseconds(50);

    public override string Name => "neighbours";

    public override IReadOnlyList<string> Transports => ["redis", "rabbitmq"];

    public override IReadOnlyList<string> Stores => ["sqlite", "redis", "native"];

    /// <summary>RabbitMQ is combined only with its own queues of failures.</summary>
    public override bool Joins(string transport, string store) => transport == "rabbitmq" == (store == "native");

    public override void Configure(EventBusBuilder bus, VictimSettings settings, Journal journal)
    {
        bus.Retry(3, FirstDelay).Configure(options => (options.Retry.MaxDelay, options.Retry.Jitter) = (FirstDelay, 0));
        bus.AddAlert<JournalAlert>();
        bus.Subscribe("street", s => s.On<Job>((job, context, ct) => HandleAsync(job, context, journal)));
        bus.Subscribe("square", s => s.On<Duty>((duty, context, ct) => HandleAsync(new Job(duty.Number, duty.Kind), context, journal)));
        Buses.WrapStores(bus, ShortAlertLeases.Wrap);
    }

    public override async Task RunAsync(Stage stage, Findings findings)
    {
        var events = stage.Run.Size(100, 16);

        // Some before them and most after them.
        var kinds = Enumerable.Repeat(JobKind.Flaky, events).ToArray();
        foreach (var number in Deadly)
        {
            kinds[number] = JobKind.Deadly;
        }

        // A process that is suspended for longer than its lease loses its claims. This proof does not test that: a
        // pause on a busy machine must not count as a crash.
        stage.Settings = stage.Settings with { LeaseMilliseconds = 5_000 };
        await stage.StartBrokerAsync();
        await stage.StartVictimsAsync(1);
        await using var publisher = await Publishing.StartAsync(stage.Settings, bus => bus.Publishes<Job>().Publishes<Duty>(), events);
        await publisher.PublishAsync(kinds.Select((kind, i) => ((long)i, new Job(i, kind))).Where(job => job.Item1 % 2 == 0));
        await publisher.PublishAsync(kinds.Select((kind, i) => ((long)i, new Duty(i, kind))).Where(duty => duty.Item1 % 2 == 1));
        await using var probe = await StoreProbe.OpenAsync(stage.Settings, "street", "square");
        var (handled, alerted) = (new HashSet<long>(), new HashSet<long>());
        try
        {
            await stage.RunAsync(
                "Every event handled or dead-lettered with an alert",
                new Queue<Fault>(),
                entry => (entry.Kind == Kind.End ? handled : entry.Kind == Kind.Alert ? alerted : []).Add(entry.A),
                async () => handled.Union(alerted).Count() == events
                    && alerted.Count == Deadly.Length
                    && await probe.CountAsync() >= alerted.Count);
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
    }

    private static async Task HandleAsync(Job job, EventContext context, Journal journal)
    {
        journal.Write(Kind.Start, job.Number, context.Attempt);
        if (context.Attempt == 1)
        {
            journal.Write(Kind.Throw, job.Number, context.Attempt);
            throw new PlannedException("the first attempt fails");
        }

        if (job.Kind == JobKind.Deadly)
        {
            Native.KillSelf();
        }

        // Long enough to end together with a deadly event that starts at the same time.
        await RealTime.PassAsync(Work);
        journal.Write(Kind.End, job.Number, context.Attempt);
    }
}
