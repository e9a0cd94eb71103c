using System.Data.Common;

namespace EventBus.Proof;

/// <summary>
/// A proof whose events add a row in the commit that marks them as handled, and whose ledger compares published events
/// and effects. If the broker stores the failures, no event is marked, and repeated effects are only counted.
/// </summary>
internal abstract class LedgerProof : Proof
{
    protected const string Native = "native";

    private const string Subscription = "bookkeeper";

    public override IReadOnlyList<string> Transports => ["redis", "rabbitmq", "kafka"];

    public override IReadOnlyList<string> Stores => ["sqlite"];

    public override void Configure(EventBusBuilder bus, VictimSettings settings, Journal journal) =>
        bus.Subscribe(Subscription, s => (settings.Store == Native ? s : s.Idempotent()).On<Transfer>((transfer, context, _) =>
        {
            journal.Write(Kind.Start, transfer.Number, context.Attempt);
            if (settings.Store != Native)
            {
                context.OnCommit((transaction, ct) => AddRowAsync(transaction, transfer.Number, ct));
            }

            journal.Write(Kind.End, transfer.Number, context.Attempt);
            return Task.CompletedTask;
        }));

    /// <summary>
    /// Publishes events and injects faults until each accepted event is handled and no work remains; then compares.
    /// </summary>
    /// <param name="stage">A stage whose broker is started, and nothing else.</param>
    /// <param name="findings">Receives the findings.</param>
    /// <param name="plan">The events and faults.</param>
    protected static async Task RunAsync(Stage stage, Findings findings, LedgerPlan plan)
    {
        var native = stage.Run.Store == Native;
        await stage.StartVictimsAsync(plan.Processes);
        if (!native)
        {
            await Database.CreateEffectsAsync(stage.Settings.DatabaseConnection);
        }

        await using var publisher = await Publishing.StartAsync(stage.Settings, bus => bus.Publishes<Transfer>(), plan.Events);
        await using var probe = await StoreProbe.OpenAsync(stage.Settings, Subscription);
        await plan.Before();
        var publishing = publisher.PublishAsync(
            Enumerable.Range(0, plan.Events).Select(number => ((long)number, new Transfer(number))),
            plan.AtOnce);
        var striking = plan.StrikeAsync(publisher);
        var (handled, stuck) = (new HashSet<long>(), new List<string>());
        try
        {
            await stage.RunAsync(
                "Every accepted event handled, no work left",
                plan.Faults,
                entry => (entry.Kind == Kind.End ? handled : []).Add(entry.A),
                async () => publishing.IsCompleted
                    && striking.IsCompleted
                    && publisher.Outcomes.Index().All(item => item.Item != Outcome.Accepted || handled.Contains(item.Index))
                        && await stage.Broker.IsIdleAsync("transfer", $"{stage.Settings.Service}:{Subscription}")
                        && (!native || await stage.Broker.IsIdleAsync("transfer", $"{stage.Settings.Service}:{Subscription}:retries")));
            await Task.WhenAll(publishing, striking);
            await stage.StopVictimsAsync();
        }
        catch (Exception exception) when (exception is ProofException or TimeoutException)
        {
            stuck.Add(exception.Message);
        }

        var dead = (await probe.DeadAsync()).Select(entry => Numbers.Of(entry.Id)).ToHashSet();
        if (await probe.CountAsync() - dead.Count is > 0 and var waiting)
        {
            stuck.Add($"{waiting:N0} in the failure store");
        }

        LedgerCheck.Run(findings, new Ledger
        {
            Outcomes = publisher.Outcomes,
            Entries = stage.Journals.Entries,
            Effects = native
                ? stage.Journals.Entries.Where(entry => entry.Kind == Kind.End).CountBy(entry => entry.A).ToDictionary()
                : await Database.EffectsAsync(stage.Settings.DatabaseConnection),
            OnceEach = !native,
            Dead = dead,
            Stuck = stuck,
            LongestCall = publisher.LongestCall,
            Deadline = TimeSpan.FromMilliseconds(stage.Settings.PublishMilliseconds),
        });
    }

    private static async Task AddRowAsync(DbTransaction transaction, long number, CancellationToken cancellationToken)
    {
        await using var command = transaction.Connection!.CreateCommand();
        command.Transaction = transaction;
        command.CommandText =
            FormattableString.Invariant($"INSERT INTO effects (number, process) VALUES ({number}, {Environment.ProcessId})");
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
