using System.Diagnostics;

namespace EventBus.Proof;

/// <summary>
/// Proves that a new event is delivered soon after each fault, while faults of the broker and its connections are
/// injected one after the other during publishing.
/// </summary>
internal sealed class MixedFaultsProof : Proof
{
    private const string Subscription = "listener";
    private const string Word = "signal";
    private const int MostSignals = 4_000_000;
    private const int LongestHold = 3_000;

    private static readonly TimeSpan Attempt = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan LongestRecovery = TimeSpan.FromSeconds(3);

    public override string Name => "mixed-faults";

    public override IReadOnlyList<string> Transports => ["redis", "rabbitmq", "kafka"];

    public override IReadOnlyList<string> Stores => ["memory"];

    // The recovery time is measured.
    public override bool RunsAlone => true;

    public override void Configure(EventBusBuilder bus, VictimSettings settings, Journal journal) =>
        SignalSource.Subscribe(bus, Subscription, journal);

    public override async Task RunAsync(Stage stage, Findings findings)
    {
        await stage.StartBrokerAsync();
        await using var proxy = stage.Broker.NewProxy();
        stage.Settings = stage.Broker.Direct(stage.Settings, proxy.Port) with { PublishMilliseconds = 2_000, LeaseMilliseconds = 4_000 };
        await stage.Broker.WatchAsync(proxy.Port);
        await stage.StartVictimsAsync(1);
        await using var publisher = await Publishing.StartAsync(stage.Settings, bus => bus.Publishes<Signal>(), MostSignals);
        var scene = new BrokerScene(stage, proxy, Word, $"{stage.Settings.Service}:{Subscription}");
        var run = new Run(scene, new SignalSource(publisher));
        var rounds = new List<FaultRound>();
        try
        {
            foreach (var fault in BrokerFault.Plan(stage.Random, stage.Run.Transport, stage.Run.Size(500, stage.Run.OverKafka ? 10 : 25)))
            {
                rounds.Add(new FaultRound(
                    fault.Name,
                    await run.RoundAsync(fault, TimeSpan.FromMilliseconds(stage.Random.Next(100, LongestHold))),
                    Stopwatch.GetTimestamp()));
            }

            await run.QuietAsync();
            await stage.StopVictimsAsync();
        }
        catch (Exception exception) when (exception is ProofException or TimeoutException)
        {
            findings.Fail(exception.Message);
        }

        if (rounds.Exists(round => round.Fault == "queue deleted"))
        {
            findings.Note("queue deleted", "only while the queue is empty: a deletion loses its events");
        }

        DeliveryCheck.Run(findings, run.Outcomes(), stage.Journals.Entries, new HashSet<long>());
        RepeatCheck.Run(findings, rounds, stage.Journals.Entries);
        RecoveryCheck.Run(
            findings,
            rounds,
            LongestRecovery,
            publisher.LongestCall,
            TimeSpan.FromMilliseconds(stage.Settings.PublishMilliseconds));
    }

    /// <summary>The state of a run: the sent events and the handled events.</summary>
    private sealed class Run(BrokerScene scene, SignalSource source)
    {
        private readonly SignalWatch watch = new(scene.Stage, source);
        private readonly HashSet<long> unwatched = [];

        /// <summary>
        /// Returns the outcome of each publish. An event for a broker without a queue is accepted, but its delivery is
        /// not expected.
        /// </summary>
        public Outcome[] Outcomes() =>
            [.. source.Outcomes.Select((outcome, number) => unwatched.Contains(number) ? Outcome.InDoubt : outcome)];

        /// <summary>
        /// Injects a fault, and returns the time from the broker's first answer until a new event was handled.
        /// </summary>
        public async Task<TimeSpan?> RoundAsync(BrokerFault fault, TimeSpan hold)
        {
            if (fault.LosesQueuedEvents)
            {
                await QuietAsync();
            }
            else
            {
                source.Resume();
            }

            await fault.StrikeAsync(scene, hold);
            var answered = await AnsweredAsync();
            var (recovery, probes) = await watch.RecoveryAsync(answered);
            if (fault.LosesQueuedEvents)
            {
                unwatched.UnionWith(probes);
            }

            return recovery;
        }

        /// <summary>
        /// Pauses the publisher, and waits until all accepted events are handled and none remains at the broker.
        /// </summary>
        public async Task QuietAsync()
        {
            await source.PauseAsync();
            await Until.TrueAsync("Every accepted event handled, no work left", Patience, async () =>
            {
                return watch.AllHandled(unwatched) && await scene.Broker.IsIdleAsync(scene.Word, scene.Subscription);
            });
        }

        private async Task<long> AnsweredAsync()
        {
            await Until.TrueAsync("The broker's answer to a separate client", Patience, async () =>
            {
                using var deadline = new CancellationTokenSource(Attempt);
                try
                {
                    await scene.Broker.HandshakeAsync(scene.Proxy.Port, deadline.Token);
                    return true;
                }
                catch (Exception exception) when (exception is not ProofException)
                {
                    return false;
                }
            });
            return Stopwatch.GetTimestamp();
        }
    }
}
