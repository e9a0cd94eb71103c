using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Logs each leftover one time: those of this service immediately, those of other services after seven days without
/// use.
/// </summary>
internal sealed class LeftoverReport(string service, ILogger log)
{
    /// <summary>
    /// The time without use after which a leftover of another service is logged. Until then only the health check
    /// reports it, because the service may be stopped for days.
    /// </summary>
    public static readonly TimeSpan OtherServiceUnusedAfter = TimeSpan.FromDays(7);

    private readonly HashSet<(string Service, string Name)> logged = [];

    /// <summary>Logs the leftovers that have not been logged.</summary>
    /// <param name="leftovers">All leftovers that are known at present.</param>
    /// <param name="now">The current time by the clock of the stores.</param>
    public void Log(List<Leftover> leftovers, DateTimeOffset now)
    {
        // A leftover that is in use again is forgotten, so that it is logged again if it is left behind again.
        logged.RemoveWhere(each => !leftovers.Exists(leftover => (leftover.Seen.Service, leftover.Seen.Name) == each));
        foreach (var leftover in leftovers)
        {
            LogOnce(leftover, now);
        }
    }

    private void LogOnce(Leftover leftover, DateTimeOffset now)
    {
        var (seen, queue) = leftover;
        if (seen.Service != service && now - seen.LastSeen <= OtherServiceUnusedAfter)
        {
            return;
        }

        if (!logged.Add((seen.Service, seen.Name)))
        {
            return;
        }

        if (seen.Service == service)
        {
            log.SubscriptionLeftBehind(queue.Name, seen.Name, queue.Waiting, seen.LastSeen, leftover.DescribeRemoval(service));
        }
        else
        {
            log.ServiceLeftBehind(seen.Service, queue.Name, seen.LastSeen, queue.Waiting, leftover.DescribeRemoval(service));
        }
    }
}
