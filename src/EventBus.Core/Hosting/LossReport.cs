namespace EventBus;

/// <summary>
/// Logs the work that is lost when a bus stops, because its transport or its stores end with the process.
/// </summary>
internal static class LossReport
{
    /// <summary>Logs the events and sagas that are lost. Logs nothing if none are lost.</summary>
    public static async Task LogAsync(BusComponents parts)
    {
        var log = parts.Services.Log;
        var transport = parts.Transport;
        if (transport.Features is { Durable: false, CountsWork: true })
        {
            var work = transport.Work;
            if (work.Accepted > work.Settled)
            {
                log.LostAtStop(work.Accepted - work.Settled, transport.Features.System);
            }
        }

        if (parts.Stores is { Durable: false } stores)
        {
            var failed = stores.Failures is { } failures ? await failures.CountAsync(CancellationToken.None) : 0;
            var delayed = stores.Delays is { } kept ? await kept.CountAsync(CancellationToken.None) : 0;
            if (failed + delayed > 0)
            {
                log.StoreLostAtStop(failed, delayed, stores.Name);
            }

            var unfinishedSagas = parts.Sagas is { } sagas ? await sagas.CountAliveAsync() : 0;
            if (unfinishedSagas > 0)
            {
                log.SagasLostAtStop(unfinishedSagas, stores.Name);
            }
        }
    }
}
