using System.Diagnostics;

namespace EventBus.Proof;

/// <summary>
/// Proves that another server takes over, and that events that RabbitMQ confirmed are kept, while the leader is killed
/// repeatedly during publishing.
/// </summary>
internal sealed class FailoverProof : Proof
{
    private const string Subscription = "listener";
    private const int MostSignals = 4_000_000;

    // Above the numbers of signals: written by the minimal client.
    private const long FirstWrite = 1_000_000_000;

    private static readonly TimeSpan Takeover = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Before = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LongestRecovery = TimeSpan.FromSeconds(5);

    public override string Name => "failover";

    public override IReadOnlyList<string> Transports =>
        ["rabbitmq-cluster", "redis-sentinel", "redis-sentinel-min-replicas", "redis-cluster"];

    public override IReadOnlyList<string> Stores => ["memory"];

    // Several servers share two cores, and the recovery time is measured.
    public override bool RunsAlone => true;

    public override bool IsForFullRuns(string transport, string store) => true;

    public override void Configure(EventBusBuilder bus, VictimSettings settings, Journal journal) =>
        SignalSource.Subscribe(bus, Subscription, journal);

    public override async Task RunAsync(Stage stage, Findings findings)
    {
        var group = $"{stage.Settings.Service}:{Subscription}";
        var stream = Buses.StreamOf(SignalSource.EventName.Split('.')[0]);
        await using Cluster cluster = stage.Run.Transport switch
        {
            "rabbitmq-cluster" => new RabbitMqCluster(stage.Folder, stage.Settings.Service, group, SignalSource.EventName),
            "redis-sentinel" => new RedisSentinels(stage.Folder, stream, group, minReplicas: 0),
            "redis-sentinel-min-replicas" => new RedisSentinels(stage.Folder, stream, group, minReplicas: 1),
            _ => new RedisShards(stage.Folder, stream, group),
        };
        await cluster.StartAsync();
        stage.Settings = cluster.Direct(stage.Settings) with { PublishMilliseconds = 2_000, LeaseMilliseconds = 4_000 };
        await stage.StartVictimsAsync(1);
        await using var publisher = await Publishing.StartAsync(stage.Settings, bus => bus.Publishes<Signal>(), MostSignals);
        var source = new SignalSource(publisher);
        var watch = new SignalWatch(stage, source);
        var (rounds, takeovers, writes) = (new List<FaultRound>(), new List<TimeSpan>(), FirstWrite);
        try
        {
            for (var round = 0; round < stage.Run.Size(10, 2); round++)
            {
                source.Resume();
                await RealTime.PassAsync(Before);
                await cluster.KillLeaderAsync();
                var killed = Stopwatch.GetTimestamp();
                var accepted = 0L;
                await Until.TrueAsync("An accepted write at the new leader", Takeover, async () =>
                {
                    var taken = await cluster.TryWriteAsync(writes++);
                    accepted = Stopwatch.GetTimestamp();
                    return taken;
                });
                takeovers.Add(Stopwatch.GetElapsedTime(killed, accepted));
                rounds.Add(new FaultRound("fail-over", (await watch.RecoveryAsync(accepted)).Recovery));
                await cluster.RestoreAsync();
            }

            await source.PauseAsync();
            await Until.TrueAsync(
                "No work left",
                Patience,
                async () => (cluster.MayLose || watch.AllHandled(new HashSet<long>())) && await cluster.IsIdleAsync());
            await stage.StopVictimsAsync();
        }
        catch (Exception exception) when (exception is ProofException or TimeoutException)
        {
            findings.Fail(exception.Message);
            stage.Journals.Poll();
        }

        if (takeovers.Count > 0)
        {
            findings.Note(
                "a new leader after",
                $"median {takeovers.Order().ElementAt(takeovers.Count / 2).TotalSeconds:0.00} s, longest "
                    + $"{takeovers.Max().TotalSeconds:0.00} s");
        }

        DeliveryCheck.Run(
            findings,
            [.. source.Outcomes],
            stage.Journals.Entries.Where(entry => entry.A < FirstWrite),
            new HashSet<long>(),
            cluster.MayLose);
        RecoveryCheck.Run(
            findings,
            rounds,
            LongestRecovery,
            publisher.LongestCall,
            TimeSpan.FromMilliseconds(stage.Settings.PublishMilliseconds));
    }
}
