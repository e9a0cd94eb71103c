using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace EventBus.Proof;

/// <summary>
/// Sends foreign messages of all kinds through a real broker, and proves that no process ends, each message is handled
/// or becomes one dead letter, a healthy subscription never waits, and no log contains their content.
/// </summary>
internal sealed class FuzzProof : Proof
{
    public const string TickEvent = "tick.sounded";

    private const string Typed = "typed";
    private const string Wild = "wild";
    private const string Follower = "follower";
    private const string Healthy = "healthy";

    private static readonly TimeSpan TickInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100);

    public override string Name => "fuzz";

    public override IReadOnlyList<string> Transports => ["redis", "redis-pubsub", "rabbitmq", "rabbitmq-classic"];

    public override IReadOnlyList<string> Stores => ["redis", "native", "sqlite"];

    // A waiting time is measured.
    public override bool RunsAlone => true;

    public override bool Joins(string transport, string store) => store == transport switch
    {
        "rabbitmq" => "native",
        "rabbitmq-classic" => "sqlite",
        _ => "redis",
    };

    // The code that reads messages is the same for classic and quorum queues.
    public override bool IsForFullRuns(string transport, string store) => transport == "rabbitmq-classic";

    public override void Configure(EventBusBuilder bus, VictimSettings settings, Journal journal)
    {
        bus.Retry(1, RetryDelay).Configure(options => options.Retry.Jitter = 0);
        bus.Publishes<FuzzFollowUp>();
        bus.Subscribe(Typed, s => s.On<FuzzOrder>((_, context, ct) => HandleAsync(context, journal, ct)));
        bus.SubscribePattern(
            Wild,
            $"{FuzzGenerator.WildWord}.#",
            (context, ct) => HandleAsync(context, journal, ct),
            s => MakeIdempotent(s, settings));
        bus.Subscribe(Follower, s => s.On<FuzzFollowUp>((followUp, _, _) =>
        {
            journal.Write(Kind.FollowUp, followUp.Number);
            return Task.CompletedTask;
        }));
        bus.Subscribe(Healthy, s => s.On<FuzzTick>((tick, context, _) =>
        {
            journal.Write(Kind.Tick, tick.Number, context.Attempt);
            return Task.CompletedTask;
        }));
    }

    public override async Task RunAsync(Stage stage, Findings findings)
    {
        var ledger = new FuzzLedger(stage.Run.Size(250_000, 5_000));
        stage.Settings = stage.Settings with { LeaseMilliseconds = 10_000, RetryMilliseconds = 100, LogLevel = LogLevel.Information };
        await stage.StartBrokerAsync();
        await stage.StartVictimsAsync(1);
        await using var transport = await FuzzTransport.OpenAsync(stage);
        await using var letters = await FuzzDeadLetters.OpenAsync(stage, ledger);
        var run = new FuzzRun(new FuzzGenerator(stage.Run.Seed), transport, letters, ledger);
        using var stop = new CancellationTokenSource();
        var ticking = run.TickAsync(TickInterval, stop.Token);
        var publishing = run.PublishAsync();
        var begun = Stopwatch.GetTimestamp();
        try
        {
            await stage.RunAsync(
                "Every message handled or dead-lettered",
                new Queue<Fault>(),
                ledger.Take,
                async () => publishing.IsFaulted || (publishing.IsCompleted && await run.IsDoneAsync()));
            await publishing;
            await stop.CancelAsync();
            await ticking;
            await Until.TrueAsync("Every tick handled", LongestWait, () =>
            {
                foreach (var entry in stage.Journals.Poll())
                {
                    ledger.Take(entry);
                }

                return Task.FromResult(ledger.TicksMissing == 0);
            });
            await stage.StopVictimsAsync();
        }
        catch (Exception exception) when (exception is ProofException or TimeoutException)
        {
            findings.Fail(exception.Message);
        }

        findings.Note("messages, a second", $"{ledger.Messages:N0}, {ledger.Messages / Stopwatch.GetElapsedTime(begun).TotalSeconds:N0}");
        findings.Exactly("consumer processes that ended", 0, stage.SelfKills + stage.FailedStarts);
        FuzzCheck.Run(findings, ledger, LongestWait);
        FuzzLogCheck.Run(findings, stage.Folder, ledger.Numbers().Count(ledger.SharesADeadLetter));
    }

    /// <summary>
    /// Makes the subscription idempotent if the store supports it, so that it also claims foreign ids.
    /// </summary>
    private static void MakeIdempotent(SubscriptionBuilder subscription, VictimSettings settings)
    {
        if (settings.Store != "native")
        {
            subscription.Idempotent();
        }
    }

    /// <summary>
    /// Some handlers publish, some fail once and some always, so that foreign content passes through the stores and is
    /// published again.
    /// </summary>
    private static async Task HandleAsync(EventContext context, Journal journal, CancellationToken cancellationToken)
    {
        var number = FuzzMark.Find(context.Body.Span, context.EventId, context.Key, context.Headers);
        if (FuzzLedger.Fails(number) || (FuzzLedger.FailsOnce(number) && context.Attempt == 1))
        {
            throw new PlannedException("planned");
        }

        if (FuzzLedger.HasFollowUp(number))
        {
            await context.PublishAsync(new FuzzFollowUp(number), cancellationToken);
        }

        journal.Write(Kind.End, number, context.Attempt);
    }
}
