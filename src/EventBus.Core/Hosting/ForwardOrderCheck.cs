using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Logs a warning when the bus starts for each forward that cannot keep the order of keys.</summary>
internal static class ForwardOrderCheck
{
    public static void Warn(TransportFeatures features, IEnumerable<SubscriptionPlan> subscriptions, ILogger log)
    {
        foreach (var plan in subscriptions.Where(plan => plan.Registration.Forward is not null && !plan.Subscription.Ordered))
        {
            var to = ForwardRegistration.NameOf(plan.Registration.Forward!.To);
            if (features.Ordered)
            {
                log.ForwardUnorderedByStore(plan.Subscription.Name, to);
            }
            else
            {
                log.ForwardUnorderedByBackend(plan.Subscription.Name, to, features.System);
            }
        }
    }
}
