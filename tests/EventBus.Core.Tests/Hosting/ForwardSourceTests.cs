using System.Text;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Forwards from a backend that delivers messages of any program.</summary>
public sealed class ForwardSourceTests
{
    private const string Body = """{ "orderId" : "1",  "unknown": [1,2] }""";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private static EnvelopeAttributes Received => new()
    {
        Id = "e1",
        Name = "order.seen",
        Version = 3,
        Key = "k",
        Time = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero),
        CorrelationId = "c",
        CausationId = "b",
        Source = "elsewhere",
        TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        TraceState = "a=b",
        ContentType = "application/x+json",
        Headers = new Dictionary<string, string> { ["tenant"] = "1" },
    };

    [Fact]
    public async Task Forward_AnEventOfAnUnknownType_KeepsBytesAndAttributes()
    {
        var (log, target) = (new ScriptedLog(1), new ForwardTarget());
        await using var running = await StartAsync(log, target);
        await PublishAsync(log, Received with { IdIsDerived = true });
        var forwarded = Assert.Single(await target.WhenAcceptedAsync());

        Assert.Equal(Body, Encoding.UTF8.GetString(forwarded.Body.Span));
        Assert.Equal(("e1", "order.seen", 3, "k"), (forwarded.Id, forwarded.Name, forwarded.Version, forwarded.Key));
        Assert.Equal(("c", "b", "elsewhere"), (forwarded.CorrelationId, forwarded.CausationId, forwarded.Source));
        Assert.Equal((Received.TraceParent, "a=b"), (forwarded.TraceParent, forwarded.TraceState));
        Assert.Equal((Received.Time, "application/x+json", true), (forwarded.Time, forwarded.ContentType, forwarded.IdIsDerived));
        Assert.Equal(("1", "shop"), (forwarded.Headers["tenant"], forwarded.Headers[ForwardedEnvelope.Header]));
        Assert.Equal(2, forwarded.Headers.Count);
    }

    [Fact]
    public async Task Forward_ABodyThatTheTypeCannotRead_ForwardsItUnread()
    {
        var (log, target) = (new ScriptedLog(1), new ForwardTarget());
        await using var running = await StartAsync(log, target, bus => bus.Publishes<OrderPlaced>());
        await PublishAsync(log, Received with { Name = "order.placed", Version = 1, ContentType = "application/json" }, "not json");

        Assert.Equal("not json", Encoding.UTF8.GetString(Assert.Single(await target.WhenAcceptedAsync()).Body.Span));
    }

    [Fact]
    public async Task Forward_ToABusWithoutASubscription_IsLoggedOnceForEachName()
    {
        using var memory = new LogMemory();
        var (log, target) = (new ScriptedLog(1), new ForwardTarget { Answer = _ => PublishOutcome.Unrouted });
        await using var running = await StartAsync(log, target, bus => bus.Services.AddLogging(logging => logging.AddProvider(memory)));
        for (var i = 0; i < 3; i++)
        {
            await PublishAsync(log, Received with { Id = $"{i}" });
        }

        await Until.TrueAsync("all events are acknowledged", () => log.Committed(0) == 3, Cancelled);

        Assert.Single(memory.Entries, entry => entry.Text.Contains("matches order.seen", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Forward_AnUnreadableMessage_IsADeadLetter()
    {
        var (log, target) = (new ScriptedLog(1), new ForwardTarget());
        await using var running = await StartAsync(log, target);
        await PublishAsync(log, Received with { Defect = "It has no type." });

        Assert.Equal(DeadLetterReason.Unreadable, (await running.WhenDeadLetterAsync()).Reason);
        Assert.Empty(target.Accepted);
    }

    [Fact]
    public async Task Forward_WithoutRoomForTheMark_IsADeadLetter()
    {
        var (log, target) = (new ScriptedLog(1), new ForwardTarget());
        await using var running = await StartAsync(log, target);
        await PublishAsync(log, Received with { Headers = Enumerable.Range(0, 64).ToDictionary(i => $"h{i}", _ => "secret") });

        var error = (await running.WhenDeadLetterAsync()).Error;

        Assert.Contains("65 headers", error, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", error, StringComparison.Ordinal);
        Assert.Empty(target.Accepted);
    }

    [Fact]
    public async Task Forward_BeforeTheOtherBusHasAccepted_DoesNotAcknowledge()
    {
        var gate = new TaskCompletionSource();
        var (log, target) = (new ScriptedLog(1), new ForwardTarget { Gate = gate.Task });
        await using var running = await StartAsync(log, target);
        await PublishAsync(log, Received);
        await target.WhenAskedAsync();

        Assert.Equal(0, log.Committed(0));

        gate.SetResult();
        await Until.TrueAsync("the event is acknowledged", () => log.Committed(0) == 1, Cancelled);
        Assert.Single(target.Accepted);
    }

    [Fact]
    public async Task Forward_CutOffByAStop_IsForwardedByTheNextStart()
    {
        var (log, target) = (new ScriptedLog(1), new ForwardTarget { Gate = new TaskCompletionSource().Task });
        var first = await StartAsync(log, target, bus => bus.Configure(options => options.DrainTimeout = TimeSpan.FromMilliseconds(20)));
        await PublishAsync(log, Received);
        await target.WhenAskedAsync();
        await first.DisposeAsync();
        Assert.Equal(0, log.Committed(0));

        var again = new ForwardTarget();
        await using var second = await StartAsync(log, again);

        Assert.Equal("e1", Assert.Single(await again.WhenAcceptedAsync()).Id);
        await Until.TrueAsync("the event is acknowledged", () => log.Committed(0) == 1, Cancelled);
    }

    [Fact]
    public async Task Forward_BeforeTheOtherBusHasStarted_WaitsForIt()
    {
        var opened = new TaskCompletionSource();
        var (log, target) = (new ScriptedLog(1), new ForwardTarget { Opened = opened.Task });
        var connection = log.Connect();
        using var host = RunningBus.Build(bus =>
        {
            Configure(bus, connection);
            target.Add(bus.Services);
        });
        var starting = host.StartAsync(Cancelled);
        await Until.TrueAsync("the first bus has subscribed", () => connection.Receiver is not null, Cancelled);
        log.Assign(0, connection);
        await PublishAsync(log, Received);

        Assert.Empty(target.Accepted);

        opened.SetResult();
        await starting;
        await target.WhenAcceptedAsync();
        await host.StopAsync(Cancelled);
    }

    [Fact]
    public async Task Forward_TheOtherBusCannotStart_EndsSoon()
    {
        var opened = new TaskCompletionSource();
        var (log, target) = (new ScriptedLog(1), new ForwardTarget { Opened = opened.Task });
        var connection = log.Connect();
        using var host = RunningBus.Build(bus =>
        {
            Configure(bus, connection);
            target.Add(bus.Services);
        });
        var starting = host.StartAsync(Cancelled);
        await Until.TrueAsync("the first bus has subscribed", () => connection.Receiver is not null, Cancelled);
        await PublishAsync(log, Received);
        log.Assign(0, connection);

        opened.SetException(new EventBusException("refused"));
        var error = await Assert.ThrowsAsync<EventBusException>(() => starting);
        await host.StopAsync(Cancelled).WaitAsync(RunningBus.Patience, Cancelled);

        Assert.Equal("refused", error.Message);
    }

    /// <summary>Starts a bus that forwards the events of a log, and that to which it forwards.</summary>
    private static async Task<RunningBus> StartAsync(ScriptedLog log, ForwardTarget target, Action<EventBusBuilder>? configure = null)
    {
        var connection = log.Connect();
        var running = await RunningBus.StartAsync(
            bus =>
            {
                Configure(bus, connection);
                configure?.Invoke(bus);
            },
            services: target.Add);
        log.Assign(0, connection);
        return running;
    }

    private static void Configure(EventBusBuilder bus, ScriptedLog.Connection connection) =>
        bus.UseTransport("UseLog()", _ => connection).StoreInMemory().Configure(options => options.ServiceName = "shop")
            .Forward("order.*", to: "analytics");

    private static async Task PublishAsync(ScriptedLog log, EnvelopeAttributes attributes, string body = Body) =>
        await log.Connect().PublishAsync(
            (Envelope[])[new Envelope(attributes, Encoding.UTF8.GetBytes(body))],
            new PublishOutcome[1],
            CancellationToken.None);
}
