namespace EventBus.Proof;

/// <summary>
/// Events that failed once and wait for their retry in two subscriptions, side by side, one of each ends its process:
/// they are handled, and only those two become dead letters.
/// </summary>
internal sealed class NeighboursProof : Proof
{
    // The even numbers are the jobs of the one subscription, the odd ones the duties of the other. Those that end the
    // process stand so that each meets innocent ones of the other subscription.
    private static readonly int[] Deadly = [4, 7];

    // So late that all of them wait for it, and are due together.
    private static readonly TimeSpan FirstDelay = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Work = TimeSpan.FromMilliseconds(50);

    public override string Name => "neighbours";

    public override IReadOnlyList<string> Transports => ["redis", "rabbitmq"];

    public override IReadOnlyList<string> Stores => ["sqlite", "redis", "native"];

    /// <summary>RabbitMQ keeps what failed itself.</summary>
    public override bool Joins(string transport, string store) => transport == "rabbitmq" == (store == "native");

    public override void Configure(EventBusBuilder bus, VictimSettings settings, Journal journal)
    {
        bus.Retry(3, FirstDelay).Configure(options => (options.Retry.MaxDelay, options.Retry.Jitter) = (FirstDelay, 0));
        bus.AddAlert<JournalAlert>();
        bus.Subscribe("street", s => s.On<Job>((job, context, ct) => HandleAsync(job, context, journal)));
        bus.Subscribe("square", s => s.On<Duty>((duty, context, ct) => HandleAsync(new Job(duty.Number, duty.Kind), context, journal)));
        Buses.WrapStores(bus, SwiftAlerts.Wrap);
    }

    public override async Task RunAsync(Stage stage, Findings findings)
    {
        var events = stage.Run.Size(100, 16);

        // Some before them and most behind them.
        var kinds = Enumerable.Repeat(JobKind.Flaky, events).ToArray();
        foreach (var number in Deadly)
        {
            kinds[number] = JobKind.Deadly;
        }

        // A process that stands still for longer than its lease loses what it holds, and this is no proof of that: here
        // a busy machine must not look like a death.
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
                "Every event handled, or dead with an alert",
                new Queue<Fault>(),
                entry => (entry.Kind == Kind.End ? handled : entry.Kind == Kind.Alert ? alerted : []).Add(entry.A),
                async () => handled.Union(alerted).Count() == events
                    && alerted.Count == Deadly.Length
                    && await probe.CountAsync() == alerted.Count);
            await stage.StopVictimsAsync();
        }
        catch (Exception exception) when (exception is ProofException or TimeoutException)
        {
            findings.Fail(exception.Message);
        }

        var dead = (await probe.DeadAsync()).ConvertAll(entry => new Dead(Numbers.Of(entry.Id), entry.Reason, entry.Attempts));
        DeliveryCheck.Run(findings, publisher.Outcomes, stage.Journals.Entries, dead.Select(letter => letter.Number).ToHashSet());
        PoisonCheck.Run(findings, kinds, stage.Journals.Entries, dead, publisher.PublishedAt, stage.Deaths);
    }

    private static async Task HandleAsync(Job job, EventContext context, Journal journal)
    {
        journal.Write(Kind.Start, job.Number, context.Attempt);
        if (context.Attempt == 1)
        {
            journal.Write(Kind.Throw, job.Number, context.Attempt);
            throw new PlannedException("the first start fails");
        }

        if (job.Kind == JobKind.Deadly)
        {
            Native.KillSelf();
        }

        // Long enough to die with a deadly one, when they are started at once.
        await RealTime.PassAsync(Work);
        journal.Write(Kind.End, job.Number, context.Attempt);
    }
}
