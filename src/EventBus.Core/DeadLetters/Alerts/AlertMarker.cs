using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Marks sent alerts in their store. Not thread-safe.</summary>
internal sealed class AlertMarker(AlertSource source, ILogger log)
{
    // When marking several alerts together has failed this number of times in a row, they are marked one by one: a
    // single alert may be the cause.
    private const int FailuresBeforeOneByOne = 3;

    // If the first alerts that are marked one by one all fail, this many, the store accepts no marks at present.
    private const int MaxFailuresAtFirst = 3;

    private readonly string activity = $"marking alerts of {source.Name} as sent";
    private int failures;

    /// <summary>Marks alerts as sent.</summary>
    /// <returns>The alerts that could not be marked. Marking them together has failed repeatedly as well.</returns>
    /// <exception cref="Exception">The store failed: repeat the call with the same alerts.</exception>
    public async Task<HashSet<PendingAlert>> MarkAsync(PendingAlert[] sent, CancellationToken stop)
    {
        try
        {
            await source.MarkSentAsync(sent, stop);
            failures = 0;
            log.Working(activity);
            return [];
        }
        catch (Exception) when (!stop.IsCancellationRequested)
        {
            failures++;
            if (failures < FailuresBeforeOneByOne)
            {
                throw;
            }
        }

        return await MarkOneByOneAsync(sent, stop);
    }

    private async Task<HashSet<PendingAlert>> MarkOneByOneAsync(PendingAlert[] sent, CancellationToken stop)
    {
        var failed = new HashSet<PendingAlert>();
        var marked = 0;
        foreach (var alert in sent)
        {
            if (marked == 0 && failed.Count == MaxFailuresAtFirst)
            {
                return [.. sent];
            }

            try
            {
                await source.MarkSentAsync([alert], stop);
                marked++;
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                failed.Add(alert);
                log.Failing(activity, exception, logger => logger.NotMarked(alert.Id, exception));
            }
        }

        return failed;
    }
}
