using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace EventBus.Sagas;

public sealed class SagaTelemetryTests
{
    [Fact]
    public async Task Traces_OfASagaWithItsRequestsAndReplies_AreOneTree()
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
        var script = new Script
        {
            Doing = (run, context, ct) => run == "+payment"
            ? context.PublishAsync(new PaymentRequested(context.SagaId), ct)
            : Task.CompletedTask
        };
        script.Fail("+confirmation");
        await using var bus = await script.StartTripsAsync(
            (saga, s) =>
            {
                saga.Step("payment", s, undo: true).WaitFor<PaymentSettled>(TimeSpan.FromMinutes(1));
                saga.Step("confirmation", s).Retry(0);
            },
            bus => bus.Subscribe<PaymentRequested>(
                "payments",
                (asked, context, ct) => context.PublishAsync(new PaymentSettled(asked.TripId, "r"), ct)));

        await bus.RunTripAsync();
        await bus.WhenIdleAsync();

        var mine = spans.Where(span => span.TraceId == root.TraceId).ToList();
        var saga = Assert.Single(mine, span => span.DisplayName == "saga book-trip");
        Assert.Equal(root.SpanId, saga.ParentSpanId);
        Assert.Equal("trip-1", saga.GetTagItem("eventbus.saga.id"));
        foreach (var step in (string[])["payment execute", "payment reply", "confirmation execute", "payment compensate"])
        {
            Assert.Equal(saga.SpanId, Assert.Single(mine, span => span.DisplayName == $"saga book-trip {step}").ParentSpanId);
        }

        // The request is sent after its step, as a child of its span. The handler and its reply follow.
        var process = Assert.Single(mine, span => span.DisplayName == "process payment.requested");
        var publish = mine.Single(span => span.SpanId == process.ParentSpanId);
        Assert.Equal("publish payment.requested", publish.DisplayName);
        Assert.Equal("saga book-trip payment execute", mine.Single(span => span.SpanId == publish.ParentSpanId).DisplayName);
        Assert.Equal(ActivityStatusCode.Error, mine.Single(span => span.DisplayName == "saga book-trip confirmation execute").Status);
    }

    [Fact]
    public async Task Metrics_OfSagas_CountEndsByKindAndTimeInState()
    {
        var measured = new ConcurrentBag<(string Name, string Saga, string Status)>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, own) =>
            {
                if (instrument.Name.StartsWith("eventbus.saga", StringComparison.Ordinal))
                {
                    own.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, _, tags, _) => Take(instrument, tags));
        listener.SetMeasurementEventCallback<double>((instrument, _, tags, _) => Take(instrument, tags));
        listener.Start();
        var script = new Script();
        await using var bus = await RunningBus.StartAsync(
            bus => bus.UseInMemory().AddSaga<BookTrip, Trip>("measured-trip"),
            services: services => Microsoft.Extensions.DependencyInjection.ServiceCollectionServiceExtensions.AddScoped(
                services,
                _ => new BookTrip(script)));
        await bus.RunTripAsync("good");
        script.Fail("+hotel");
        await bus.RunTripAsync("bad");

        (string, string)[] mine =
            [.. measured.Where(item => item.Saga == "measured-trip").Select(item => (item.Name, item.Status)).Order()];
        Assert.Equal(
            [
                ("eventbus.saga.state.duration", "Compensating"),
                ("eventbus.saga.state.duration", "Running"),
                ("eventbus.saga.state.duration", "Running"),
                ("eventbus.sagas.ended", "Compensated"), ("eventbus.sagas.ended", "Completed"),
            ],
            mine);

        void Take(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var all = tags.ToArray().ToDictionary(tag => tag.Key, tag => $"{tag.Value}");
            measured.Add((instrument.Name, all.GetValueOrDefault("eventbus.saga", ""), all.GetValueOrDefault("eventbus.saga.status", "")));
        }
    }
}
