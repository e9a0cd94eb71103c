using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

public sealed class TelemetryTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Traces_PublishHandleFollowUp_AreOneTree()
    {
        using var root = new Activity("request").Start();
        var spans = new ConcurrentBag<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "EventBus",
            Sample = (ref options) => options.TraceId == root.TraceId
                ? ActivitySamplingResult.AllDataAndRecorded
                : ActivitySamplingResult.None,
            ActivityStopped = spans.Add,
        };
        ActivitySource.AddActivityListener(listener);
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory()
            .Subscribe<OrderPlaced>(
                "receipts",
                (e, context, token) => context.PublishAsync(new ReceiptSent(e.OrderId), cancellationToken: token))
            .Subscribe<ReceiptSent>("archive", (_, _, _) => Task.CompletedTask));

        await running.Bus.PublishAsync(new OrderPlaced("1"), new PublishOptions { EventId = "e1" }, Token);
        await running.WhenIdleAsync();

        var byName = spans.Where(span => span.TraceId == root.TraceId).ToDictionary(span => span.DisplayName);
        Assert.Equal(["process order.placed", "process receipt.sent", "publish order.placed", "publish receipt.sent"], byName.Keys.Order());
        Assert.Equal(root.SpanId, byName["publish order.placed"].ParentSpanId);
        Assert.Equal(byName["publish order.placed"].SpanId, byName["process order.placed"].ParentSpanId);
        Assert.Equal(byName["process order.placed"].SpanId, byName["publish receipt.sent"].ParentSpanId);
        Assert.Equal(byName["publish receipt.sent"].SpanId, byName["process receipt.sent"].ParentSpanId);
        var process = byName["process order.placed"];
        Assert.Equal(
            (ActivityKind.Consumer, "in_memory", "order.placed", "receipts", "e1"),
            (
                process.Kind,
                process.GetTagItem("messaging.system"),
                process.GetTagItem("messaging.destination.name"),
                process.GetTagItem("messaging.consumer.group.name"),
                process.GetTagItem("messaging.message.id")));
    }

    [Fact]
    public async Task Traces_PublishedList_GivesEachItsOwnSpanUnderTheCaller()
    {
        using var root = new Activity("request").Start();
        var spans = new ConcurrentBag<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "EventBus",
            Sample = (ref options) => options.TraceId == root.TraceId
                ? ActivitySamplingResult.AllDataAndRecorded
                : ActivitySamplingResult.None,
            ActivityStopped = spans.Add,
        };
        ActivitySource.AddActivityListener(listener);
        await using var running =
            await RunningBus.StartAsync(bus => bus.UseInMemory().Subscribe<OrderPlaced>("mail", (_, _, _) => Task.CompletedTask));

        await running.Bus.PublishManyAsync([new OrderPlaced("1"), new OrderPlaced("2")], cancellationToken: Token);
        await running.WhenIdleAsync();

        var mine = spans.Where(span => span.TraceId == root.TraceId).ToList();
        var published = mine.Where(span => span.Kind == ActivityKind.Producer).ToList();
        Assert.Equal([root.SpanId, root.SpanId], published.Select(span => span.ParentSpanId));
        Assert.Equal(
            published.Select(span => span.SpanId.ToHexString()).Order(),
            mine.Where(span => span.Kind == ActivityKind.Consumer).Select(span => span.ParentSpanId.ToHexString()).Order());
        Assert.Same(root, Activity.Current);
    }

    [Fact]
    public async Task Traces_HandlerFails_SpanHasTheError()
    {
        using var root = new Activity("request").Start();
        var spans = new ConcurrentBag<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "EventBus",
            Sample = (ref options) => options.TraceId == root.TraceId
                ? ActivitySamplingResult.AllDataAndRecorded
                : ActivitySamplingResult.None,
            ActivityStopped = spans.Add,
        };
        ActivitySource.AddActivityListener(listener);
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Retry(0).Subscribe<OrderPlaced>("mail", (_, _, _) => throw new IOException("x")));

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();

        var span = Assert.Single(spans, span => span.TraceId == root.TraceId && span.DisplayName == "process order.placed");
        Assert.Equal((ActivityStatusCode.Error, "System.IO.IOException"), (span.Status, span.GetTagItem("error.type")));
    }

    [Fact]
    public async Task Metrics_OfEveryKind_FollowTheConventions()
    {
        var sums = new ConcurrentDictionary<string, double>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Name == "EventBus")
            {
                l.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, _, tags, _) => Add(instrument, 1, tags));
        listener.Start();
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory().Retry(1, TimeSpan.Zero).Publishes<MetricUnheard>()
            .Subscribe<MetricMeasured>("meter", (_, _, _) => throw new IOException()));

        await running.Bus.PublishAsync(new MetricMeasured(), Token);
        await running.Bus.PublishAsync(new MetricUnheard(), Token);
        await running.WhenIdleAsync();

        Assert.Equal(1, sums["messaging.client.sent.messages metric.measured"]);
        Assert.Equal(1, sums["messaging.client.operation.duration metric.measured"]);
        Assert.Equal(2, sums["messaging.client.consumed.messages metric.measured"]);
        Assert.Equal(2, sums["messaging.process.duration metric.measured"]);
        Assert.Equal(1, sums["eventbus.retries metric.measured"]);
        Assert.Equal(1, sums["eventbus.dead_letters metric.measured"]);
        Assert.Equal(1, sums["eventbus.unrouted metric.unheard"]);

        void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            foreach (var (key, tag) in tags)
            {
                if (key == "messaging.destination.name")
                {
                    sums.AddOrUpdate($"{instrument.Name} {tag}", value, (_, sum) => sum + value);
                }
            }
        }
    }

    [Fact]
    public async Task ProcessDuration_OfAnEventThatIsReadSlowly_IsThatOfTheHandler()
    {
        var time = new FakeTimeProvider();
        var durations = new ConcurrentBag<double>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listening) =>
            {
                if (instrument is { Meter.Name: "EventBus", Name: "messaging.process.duration" })
                {
                    listening.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<double>((_, value, tags, _) =>
        {
            if (tags.ToArray().Contains(new("messaging.destination.name", "slow.read")))
            {
                durations.Add(value);
            }
        });
        listener.Start();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory()
                .Upcast<SlowReadOld, SlowRead>(_ =>
                {
                    time.Advance(TimeSpan.FromSeconds(5));
                    return new SlowRead();
                })
                .Subscribe<SlowRead>("meter", (_, _, _) =>
                {
                    time.Advance(TimeSpan.FromSeconds(2));
                    return Task.CompletedTask;
                }),
            time);

        await running.Bus.PublishAsync(new SlowReadOld(), Token);
        await running.WhenIdleAsync();

        Assert.Equal([2.0], durations);
    }

    [Fact]
    public async Task Telemetry_OfAKeyedBus_HasTheTagOfTheBus()
    {
        var measured = new ConcurrentBag<(string Instrument, object? Name, object? Bus)>();
        var spans = new ConcurrentBag<Activity>();
        using var listener =
            new MeterListener { InstrumentPublished = (instrument, listening) => listening.EnableMeasurementEvents(instrument) };
        listener.SetMeasurementEventCallback<long>((instrument, _, tags, _) => Add(instrument, tags));
        listener.SetMeasurementEventCallback<double>((instrument, _, tags, _) => Add(instrument, tags));
        listener.Start();
        using var root = new Activity("request").Start();
        using var tracing = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "EventBus",
            Sample = (ref options) => options.TraceId == root.TraceId
                ? ActivitySamplingResult.AllDataAndRecorded
                : ActivitySamplingResult.None,
            ActivityStopped = spans.Add,
        };
        ActivitySource.AddActivityListener(tracing);
        await using var running = await RunningBus.StartAsync(
            Configure,
            services: services => services.AddKeyedEventBus("billing", Configure));
        var billing = running.Services.GetRequiredKeyedService<IEventBus>("billing");

        await running.Bus.PublishAsync(new BusMeasured(), Token);
        await running.WhenIdleAsync();
        await billing.PublishAsync(new BusMeasured(), Token);
        await billing.PublishAsync(new BusUnheard(), Token);
        await billing.WhenIdleAsync(RunningBus.Patience, Token);

        string[] instruments = [
            "eventbus.dead_letters",
            "eventbus.retries",
            "messaging.client.consumed.messages",
            "messaging.client.operation.duration",
            "messaging.client.sent.messages",
            "messaging.process.duration"
        ];
        Assert.Equal(instruments, measured.Where(item => item is { Name: "bus.measured", Bus: null })
            .Select(item => item.Instrument)
            .Distinct()
            .Order(StringComparer.Ordinal));
        Assert.Equal(instruments, measured.Where(item => item is { Name: "bus.measured", Bus: "billing" })
            .Select(item => item.Instrument)
            .Distinct()
            .Order(StringComparer.Ordinal));
        Assert.Contains(("eventbus.unrouted", "bus.unheard", "billing"), measured);
        Assert.Equal([null, "billing"], spans.Where(span => span.DisplayName == "publish bus.measured")
            .OrderBy(span => span.StartTimeUtc)
            .Select(span => span.GetTagItem("eventbus.bus")));
        Assert.Contains(spans, span => span.DisplayName == "process bus.measured" && (string?)span.GetTagItem("eventbus.bus") == "billing");

        static void Configure(EventBusBuilder bus) => bus.UseInMemory()
            .Retry(1, TimeSpan.Zero)
            .Publishes<BusUnheard>()
            .Subscribe<BusMeasured>("meter", (_, _, _) => throw new IOException());

        void Add(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var all = tags.ToArray().ToDictionary();
            if (instrument.Meter.Name == "EventBus"
                && all.GetValueOrDefault("messaging.destination.name") is "bus.measured" or "bus.unheard")
            {
                measured.Add((instrument.Name, all["messaging.destination.name"], all.GetValueOrDefault("eventbus.bus")));
            }
        }
    }

    private sealed record BusMeasured;

    private sealed record BusUnheard;

    private sealed record MetricMeasured;

    private sealed record MetricUnheard;

    [EventName("slow.read", Version = 1)]
    private sealed record SlowReadOld;

    [EventName("slow.read", Version = 2)]
    private sealed record SlowRead;
}
