using EventBus.Stores;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace EventBus;

/// <summary>Creates the services of a bus for the test of one component.</summary>
internal static class TestServices
{
    public static BusServices Create(TimeProvider time, ILogger? log = null) => new()
    {
        Time = time,
        StoreTime = time,
        Log = log ?? NullLogger.Instance,
        Diagnostics = new BusDiagnostics(null, time),
        Runner = new BackgroundRunner(new CallerContext(), log ?? NullLogger.Instance),
        Random = new RandomSource(),
        Idle = new IdleSignal(),
        Abort = CancellationToken.None,
    };

    /// <summary>Creates a recorder of failed events in a store that accepts one waiting event of each key.</summary>
    public static (FailureRecorder Recorder, AttemptCounter Attempts) CreateRecorder(RetryStore store, BusServices services)
    {
        var (calls, retries) = (new FailureStoreWriter(store, new DurableWriter(services), services), new WakeSignal());
        var alerts = new AlertCoordinator(
            new DeadLetterAlertSource(store),
            [],
            new AlertSettings(TimeSpan.Zero, "shop", _ => true),
            services);
        var limits = new RecordLimits(store, new EventBusOptions { MaxParkedPerKey = 1 }, services.StoreTime);
        var recorder = new FailureRecorder(
            calls,
            new OrderTracker(calls, retries, services),
            new FailureReporter(alerts, retries, services),
            limits,
            services);
        return (recorder, new AttemptCounter(calls, recorder, services));
    }
}
