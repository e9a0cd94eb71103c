namespace EventBus;

/// <summary>Registers the subscription for the replies that the steps of a saga wait for.</summary>
internal static class SagaReplySubscription
{
    /// <summary>
    /// Adds the subscription for the replies to a saga. Does nothing if it exists already, which is the case when the
    /// start of the bus is retried.
    /// </summary>
    public static void Add(
        BusRegistration registration,
        SagaRegistration saga,
        IReadOnlyList<SagaStepRegistration> steps,
        Func<string, EventContext, CancellationToken, Task> receive,
        List<string> problems)
    {
        var replyTypes = steps.Select(step => step.ReplyType).OfType<Type>().Distinct().ToList();
        if (replyTypes.Count == 0)
        {
            return;
        }

        var name = SagaDefinition.SubscriptionOf(saga.Name);
        if (registration.Subscriptions.Find(known => known.Name == name) is { } taken)
        {
            if (!taken.IsForSaga)
            {
                problems.Add($"The subscription name '{name}' is used for the replies to the saga '{saga.Name}'. Give your subscription "
                    + "another name.");
            }

            return;
        }

        var subscription = new SubscriptionRegistration(name) { IsForSaga = true };
        foreach (var replyType in replyTypes)
        {
            registration.Event(replyType);
            subscription.Handlers.Add(new HandlerRegistration(replyType, null, _ => new SagaReplyInvoker(saga.Name, receive)));
        }

        registration.Subscriptions.Add(subscription);
    }
}
