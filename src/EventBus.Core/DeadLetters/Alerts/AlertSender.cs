using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Sends groups of alerts through one notifier, each as one alert with its first dead letter.</summary>
/// <param name="notifier">The notifier.</param>
/// <param name="name">The name of the notifier in logs; unique.</param>
/// <param name="source">Provides the dead letters of the alerts.</param>
/// <param name="settings">The settings that all alerts share.</param>
/// <param name="services">The clock and the log.</param>
internal sealed class AlertSender(
    IDeadLetterNotifier notifier,
    string name,
    AlertSource source,
    AlertSettings settings,
    BusServices services)
{
    private static readonly TimeSpan SendTimeout = TimeSpan.FromSeconds(30);

    // When this number of dead letters could not be read in one attempt, the attempt reads no more of them.
    private const int MaxUnreadable = 3;

    // When this number of attempts has failed, a dead letter that cannot be read is reported without its content.
    private const int FailuresBeforePlaceholder = 3;

    /// <summary>The name of the notifier in logs; unique.</summary>
    public string Name => name;

    /// <summary>Sends a group as one alert, or nothing if none of its alerts is needed any longer.</summary>
    /// <returns>False if it failed.</returns>
    public async Task<bool> TrySendAsync(AlertGroup group, CancellationToken stop)
    {
        var pending = group.Waiting;
        try
        {
            var first = await FindFirstAsync(pending, group.Failures, stop);
            if (first is not null)
            {
                using var timeout = stop.WithTimeout(SendTimeout, services.StoreTime);
                var alert = AlertFacts.AddSummary(new DeadLetterAlert(
                    first,
                    [.. pending.Select(pendingAlert => pendingAlert.Id).Distinct(StringComparer.Ordinal)])
                {
                    ServiceName = settings.ServiceName,
                    FindCall = source.FindCall(first.Id, first.Subscription),
                    Link = AlertLink.Of(source.LinkTemplate(settings), settings.ServiceName, first.Id, first.Subscription),
                });
                var sending = notifier.NotifyAsync(alert, timeout.Token)
                    ?? throw new InvalidOperationException($"The notifier {notifier.GetType()} returned null instead of a task.");
                await sending.Observed().WaitAsync(timeout.Token);
            }

            services.Log.Working(name);
            return true;
        }
        catch (Exception exception) when (!stop.IsCancellationRequested)
        {
            services.Log.Failing(
                name,
                exception,
                logger => logger.AlertFailed(notifier.GetType(), pending.Count, pending[0].Id, exception));
            return false;
        }
    }

    /// <summary>
    /// Gets the first dead letter that still needs an alert and can be read; null if none needs one. If none can be
    /// read, throws in the first attempts, because the store may be unavailable. Later attempts return a placeholder
    /// with the known data, so that a damaged dead letter does not delay the others without end.
    /// </summary>
    private async Task<DeadLetter?> FindFirstAsync(List<PendingAlert> pending, int failures, CancellationToken stop)
    {
        var unreadable = new List<(PendingAlert Alert, Exception Error)>();
        foreach (var alert in pending)
        {
            try
            {
                var deadLetter = await source.FindAsync(alert, stop);
                if (deadLetter is not null)
                {
                    return deadLetter;
                }
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                unreadable.Add((alert, exception));
                if (unreadable.Count == MaxUnreadable)
                {
                    break;
                }
            }
        }

        if (unreadable.Count == 0)
        {
            return null;
        }

        var (first, error) = unreadable[0];
        return failures >= FailuresBeforePlaceholder
            ? DeadLetterMapper.Unreadable(first)
            : throw new EventBusException($"The dead letter {first.Id} could not be read.", error);
    }
}
