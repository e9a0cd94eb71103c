using System.Data.Common;

namespace EventBus.Proof;

/// <summary>
/// Proves that each of ten thousand events with ten copies takes effect once, with eight concurrent handlers, while
/// processes are killed or frozen and the store does not answer for a while.
/// </summary>
internal sealed class DuplicatesProof(int processes) : Proof
{
    private const string Subscription = "ledger";
    private const int Copies = 10;
    private const int Spread = 40;
    private const int Consumers = 8;

    public override string Name => processes == 1 ? "duplicates" : $"duplicates-{processes}-processes";

    // Three processes do the same as one, and also compete.
    public override bool IsForFullRuns(string transport, string store) => processes == 1;

    public override void Configure(EventBusBuilder bus, VictimSettings settings, Journal journal)
    {
        bus.Retry(3, TimeSpan.FromMilliseconds(50));
        bus.Subscribe(Subscription, s => s.Idempotent()
            .Concurrency(Consumers)
            .On<Payment>((payment, context, ct) => HandleAsync(payment, context, journal, settings.Store == "sqlite", ct)));
        Buses.WrapStores(
            bus,
            stores => new ProofStores(stores, processed: new WatchedProcessedStore(stores.Processed!, journal, (_, _) => { })));
    }

    public override async Task RunAsync(Stage stage, Findings findings)
    {
        var events = stage.Run.Size(10_000, 500);
        var faults = Fault.Plan(
            stage.Random,
            events,
            stage.Run.Size(8, 2),
            processes == 1 ? 0 : stage.Run.Size(4, 1),
            stage.Run.Size(3, 1));

        // Copies of one event are close to one another: some arrive at once, some after the first was handled.
        var copies = Enumerable.Range(0, events * Copies)
            .Select(i => (Number: (long)(i / Copies), Place: (i / Copies) + (stage.Random.NextDouble() * Spread)))
            .OrderBy(copy => copy.Place)
            .Select(copy => copy.Number)
            .ToList();
        await stage.Redis.StartAsync();
        await stage.StartVictimsAsync(processes);
        if (stage.Run.Store == "sqlite")
        {
            await Database.CreateEffectsAsync(stage.Settings.DatabaseConnection);
        }

        await using var publisher = await Publishing.StartAsync(stage.Settings, bus => bus.Publishes<Payment>(), events);
        var publishing = publisher.PublishAsync(copies.Select(number => (number, new Payment(number))));
        await using var probe = await StoreProbe.OpenAsync(stage.Settings);
        var handled = new HashSet<long>();
        try
        {
            await stage.RunAsync(
                "Every event handled, no work left",
                faults,
                entry => (entry.Kind == Kind.End ? handled : []).Add(entry.A),
                async () => publishing.IsCompleted
                    && publisher.Outcomes.Index().All(item => item.Item != Outcome.Accepted || handled.Contains(item.Index))
                        && await stage.Redis.IsIdleAsync("payment", $"{stage.Settings.Service}:{Subscription}")
                        && await probe.CountAsync() == 0);
            await publishing;
            await stage.StopVictimsAsync();
        }
        catch (Exception exception) when (exception is ProofException or TimeoutException)
        {
            findings.Fail(exception.Message);
        }

        findings.Note("copies published", copies.Count);
        DeliveryCheck.Run(findings, publisher.Outcomes, stage.Journals.Entries, new HashSet<long>());
        var published = publisher.Outcomes.Count(outcome => outcome == Outcome.Accepted);
        EffectCheck.Run(
            findings,
            stage.Journals.Entries,
            stage.Run.Store == "sqlite" ? await Database.EffectsAsync(stage.Settings.DatabaseConnection) : null,
            published,
            stage.Freezes * Consumers);
        findings.None("stuck leases (not done)", await probe.NotDoneAsync(
            Subscription,
            Enumerable.Range(0, events).Where(number => publisher.Outcomes[number] == Outcome.Accepted).Select(number => (long)number)));
        findings.Exactly("stuck in the failure store", 0, await probe.CountAsync());
    }

    private static async Task HandleAsync(
        Payment payment,
        EventContext context,
        Journal journal,
        bool inTransaction,
        CancellationToken cancellationToken)
    {
        journal.Write(Kind.Start, payment.Number, context.Attempt, context.FencingToken);
        await RealTime.PassAsync(TimeSpan.FromMilliseconds(1 + (payment.Number % 8)), cancellationToken);
        if (payment.Number % 100 == 7 && context.Attempt == 1)
        {
            journal.Write(Kind.Throw, payment.Number, context.Attempt);
            throw new PlannedException("the first attempt of some fails");
        }

        if (inTransaction)
        {
            context.OnCommit((transaction, ct) => AddRowAsync(transaction, payment.Number, ct));
        }

        journal.Write(Kind.Effect, payment.Number, context.Attempt, context.FencingToken);
        journal.Write(Kind.End, payment.Number, context.Attempt);
    }

    private static async Task AddRowAsync(DbTransaction transaction, long number, CancellationToken cancellationToken)
    {
        await using var command = transaction.Connection!.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = "INSERT INTO effects (number, process) VALUES (@number, @process)";
        Add("@number", number);
        Add("@process", Environment.ProcessId);
        await command.ExecuteNonQueryAsync(cancellationToken);

        void Add(string name, long value)
        {
            var parameter = command.CreateParameter();
            (parameter.ParameterName, parameter.Value) = (name, value);
            command.Parameters.Add(parameter);
        }
    }
}
