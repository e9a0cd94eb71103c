using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Logs a warning when the bus starts for each handler type and each saga that gets the bus to which it belongs. What
/// it publishes with this bus leaves at once, although the handler fails afterwards.
/// </summary>
/// <remarks>
/// Recognized from constructors, so that the path of an event costs nothing. Not recognized: delegates, handlers that a
/// factory of the application creates, and a bus in a service that a handler gets.
/// </remarks>
internal static class DirectPublishCheck
{
    public static void Warn(BusPlan plan, IServiceProvider provider, ILogger log)
    {
        if (!plan.Options.Consume)
        {
            return;
        }

        var constructors = new ServiceConstructors(plan.Registration.Services, provider);
        var handlers =
            from subscription in plan.Subscriptions
            where !subscription.Registration.PublishesDirectly
            from type in subscription.Registration.HandlerTypes
            group subscription.Registration.Name by type;
        foreach (var subscriptions in handlers.Where(handler => GetsBus(handler.Key)))
        {
            log.HandlerPublishesDirectly(subscriptions.Key.ToString(), string.Join(", ", subscriptions.Distinct(StringComparer.Ordinal)));
        }

        foreach (var saga in plan.Sagas.Select(description => description.Registration))
        {
            if (!saga.PublishesDirectly && GetsBus(saga.SagaType))
            {
                log.SagaPublishesDirectly(saga.SagaType.ToString(), saga.Name);
            }
        }

        bool GetsBus(Type type) => constructors.ParametersOf(type)?.Any(
            parameter => parameter.ParameterType == typeof(IEventBus)
                && Equals(ServiceConstructors.KeyOf(parameter), plan.Registration.Key)) == true;
    }
}
