using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Logs when the bus starts that the backend keeps no events, with a warning for each idempotent or guarded
/// subscription.
/// </summary>
internal static class VolatileBackendCheck
{
    public static void Warn(
        TransportFeatures features,
        BusRegistration registration,
        IEnumerable<SubscriptionPlan> subscriptions,
        ILogger log)
    {
        if (features.Durable || features.Redelivers)
        {
            return;
        }

        log.Lossy(features.System);
        foreach (var subscription in subscriptions.Select(plan => plan.Registration))
        {
            if ((subscription.Idempotency ?? registration.Idempotency) is not null)
            {
                log.LossyIdempotent(subscription.Name, features.System);
            }

            if (subscription.Guards.Count > 0)
            {
                log.LossyGuarded(subscription.Name, features.System);
            }
        }
    }
}
