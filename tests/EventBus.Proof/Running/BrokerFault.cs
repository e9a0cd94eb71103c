namespace EventBus.Proof;

/// <summary>A fault of a broker or of its connections.</summary>
/// <param name="Name">The name in the output.</param>
/// <param name="StrikeAsync">
/// Causes the fault, keeps it for the given time if that applies, and removes the cause.
/// </param>
internal sealed record BrokerFault(string Name, Func<BrokerScene, TimeSpan, Task> StrikeAsync)
{
    private const string EnoughMemory = "0.4";
    private const string NoMemory = "0.0001";

    // A delivery tag that no channel has assigned. The broker closes each channel that acknowledges it.
    private const string CloseChannels = "[rabbit_channel:do(C, {'basic.ack', 999999999, false}) || C <- rabbit_channel:list()].";

    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(3);

    private static readonly BrokerFault[] OfTheConnection =
    [
        new("RST", (scene, _) => Do(scene.Proxy.Sever)),
        new("FIN", (scene, _) => Do(scene.Proxy.Finish)),
        new("black hole", async (scene, time) =>
        {
            // As long as the bus accepts silence: the measured time is the time to recover, not the time to detect the
            // fault.
            scene.Proxy.Mode = TcpProxyMode.Discard;
            await RealTime.PassAsync(time < Silence ? Silence : time);

            // New connections work. The others stay silent in both directions, without an error: a connection that only
            // loses the bytes to the broker would still deliver events, and be detected during the next fault.
            scene.Proxy.Drop();
            scene.Proxy.Mode = TcpProxyMode.Pass;
        }),
        new("stalled connection", async (scene, time) =>
        {
            scene.Proxy.Mode = TcpProxyMode.Stall;
            await RealTime.PassAsync(time);
            scene.Proxy.Mode = TcpProxyMode.Pass;
        }),
        new("cut in a frame", async (scene, time) =>
        {
            scene.Proxy.ToServer.CutAfter(scene.Random.Next(1, 500));
            scene.Proxy.ToClient.CutAfter(scene.Random.Next(1, 500));
            await RealTime.PassAsync(time);
            scene.Proxy.ToServer.CutAfter(null);
            scene.Proxy.ToClient.CutAfter(null);
        }),
        new("SIGSTOP", async (scene, time) =>
        {
            scene.Broker.Freeze();
            await RealTime.PassAsync(time);
            scene.Broker.Thaw();
        }),
    ];

    private static readonly BrokerFault[] OfRedis =
    [
        new("CLIENT KILL", (scene, _) => scene.Redis.Database.ExecuteAsync("CLIENT", "KILL", "TYPE", "normal")),
        new("CLIENT PAUSE", async (scene, time) =>
        {
            await scene.Redis.Database.ExecuteAsync("CLIENT", "PAUSE", (long)time.TotalMilliseconds, "ALL");
            await RealTime.PassAsync(time);
        }),
        new(
            "XGROUP DESTROY",
            (scene, _) => scene.Redis.Database.StreamDeleteConsumerGroupAsync(Buses.StreamOf(scene.Word), scene.Subscription)),
        new("memory limit", async (scene, time) =>
        {
            await scene.Redis.Database.ExecuteAsync("CONFIG", "SET", "maxmemory", "1mb");
            await RealTime.PassAsync(time);
            await scene.Redis.Database.ExecuteAsync("CONFIG", "SET", "maxmemory", "0");
        }),
    ];

    private static readonly BrokerFault[] OfRabbitMq =
    [
        new("channels closed", (scene, _) => scene.RabbitMq.ControlAsync("eval", CloseChannels)),
        new("queue deleted", (scene, _) => scene.RabbitMq.DeleteQueueAsync(scene.Subscription)) { LosesQueuedEvents = true },
        new("memory alarm", async (scene, time) =>
        {
            await scene.RabbitMq.ControlAsync("set_vm_memory_high_watermark", NoMemory);
            await RealTime.PassAsync(time);
            await scene.RabbitMq.ControlAsync("set_vm_memory_high_watermark", EnoughMemory);
        }),
    ];

    private static readonly BrokerFault[] OfKafka =
    [
        new("member joins and leaves", (scene, time) =>
            scene.Kafka.JoinAsync(scene.Word, scene.Subscription, scene.Stage.Settings, time)),
        new("transactions", (scene, _) => Do(() => scene.Kafka.WriteGaps(scene.Word))),
        new("records deleted", (scene, _) => scene.Kafka.DeleteRecordsAsync(scene.Word)) { LosesQueuedEvents = true },
        new("consumer suspended", (scene, time) => scene.Stage.SuspendVictimAsync(KafkaGroups.SessionTime + time)),
    ];

    /// <summary>True if the fault loses queued events by design. It is caused only while there are none.</summary>
    public bool LosesQueuedEvents { get; init; }

    /// <summary>Plans equally many faults of all kinds, in an order that depends on the seed.</summary>
    public static IReadOnlyList<BrokerFault> Plan(Random random, string transport, int count)
    {
        BrokerFault[] kinds = [.. OfTheConnection, .. OfTransport(transport)];
        BrokerFault[] plan = [.. Enumerable.Range(0, count).Select(i => kinds[i % kinds.Length])];
        random.Shuffle(plan);
        return plan;
    }

    private static BrokerFault[] OfTransport(string transport) => transport switch
    {
        "rabbitmq" => OfRabbitMq,
        "redis" => OfRedis,
        _ => OfKafka,
    };

    private static Task Do(Action action)
    {
        action();
        return Task.CompletedTask;
    }
}
