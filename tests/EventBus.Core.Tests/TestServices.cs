using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace EventBus;

/// <summary>Creates the services of a bus for the test of a part.</summary>
internal static class TestServices
{
    public static BusServices Create(TimeProvider time, ILogger? log = null) => new()
    {
        Time = time,
        StoreTime = time,
        Log = log ?? NullLogger.Instance,
        Diagnostics = new BusDiagnostics(null, time),
        Runner = new BackgroundRunner(log ?? NullLogger.Instance),
        Random = new RandomSource(),
        Idle = new IdleSignal(time),
        Abort = CancellationToken.None,
    };
}
