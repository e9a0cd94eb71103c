using EventBus.Transports;

namespace EventBus;

/// <summary>Checks the subscriptions of a registration, and merges their settings.</summary>
internal sealed class SubscriptionPlanner(
    BusRegistration registration,
    EventBusOptions options,
    Dictionary<Type, EventDescriptor> events,
    List<string> problems)
{
    private readonly HashSet<string> names = new(StringComparer.Ordinal);
    private readonly BaseTypeHandlers baseTypes = new(events.Keys, registration.Upcasts, problems);

    /// <summary>Plans the subscriptions. An invalid one is added to the problems and left out.</summary>
    public List<SubscriptionPlan> Plan()
    {
        var plans = registration.Subscriptions.Select(Plan).OfType<SubscriptionPlan>().ToList();
        CheckConfiguredNames();
        return plans;
    }

    private SubscriptionPlan? Plan(SubscriptionRegistration subscription)
    {
        var problemsBefore = problems.Count;
        CheckName(subscription.Name);
        CheckPattern(subscription);
        CheckHandlers(subscription);
        OptionsCheck.Check(subscription.Options, new SubscriptionOptionsValidator(), $"Subscription '{subscription.Name}'", problems);
        var settings = SubscriptionSettings.Merge(options, subscription);
        var handlers = baseTypes.Expand(subscription);
        if (problems.Count > problemsBefore || !handlers.All(handler => events.ContainsKey(handler.EventType)))
        {
            return null;
        }

        IEnumerable<string> patterns = subscription.Pattern is { } pattern
            ? [pattern]
            : handlers.Select(handler => events[handler.EventType].Name).Distinct(StringComparer.Ordinal);
        return new SubscriptionPlan(
            subscription,
            handlers,
            settings,
            new Subscription(subscription.Name, [.. patterns.Select(EventPattern.Parse)])
            {
                Ordered = subscription.Ordered,
                Concurrency = settings.Concurrency,
            });
    }

    private void CheckName(string name)
    {
        if (!BusNames.IsSubscription(name))
        {
            problems.Add($"The subscription name '{name}' is invalid: 1 to 100 lower-case letters, digits, hyphens, underscores and dots "
                + "are allowed.");
        }

        if (!names.Add(name))
        {
            problems.Add($"Two subscriptions are named '{name}', so they would share one queue and each get half of the events. Give "
                + "one of them another name.");
        }
    }

    private void CheckPattern(SubscriptionRegistration subscription)
    {
        if (subscription.Pattern is not { } pattern)
        {
            return;
        }

        if (EventPattern.Problem(pattern) is { } problem)
        {
            problems.Add($"{problem} It belongs to the subscription '{subscription.Name}'.");
        }
        else if (!pattern.AsSpan().ContainsAny('.', '#'))
        {
            problems.Add($"The pattern '{pattern}' of the subscription '{subscription.Name}' has one word, and every event name has two or "
                + $"more, so that none could ever match. Write '{pattern}.*' for two words, or '{(pattern == "*" ? "#" : $"{pattern}.#")}' "
                + "for any number.");
        }

        if (subscription.Handlers.Count > 0)
        {
            problems.Add($"The subscription '{subscription.Name}' has a pattern, and handlers for event types too. Make two "
                + "subscriptions.");
        }
    }

    private void CheckHandlers(SubscriptionRegistration subscription)
    {
        if (subscription.Pattern is null && subscription.Handlers.Count == 0)
        {
            problems.Add($"The subscription '{subscription.Name}' handles nothing. Add .On<TEvent, THandler>() to it.");
        }

        foreach (var duplicates in subscription.Handlers.GroupBy(handler => handler.EventType).Where(group => group.Count() > 1))
        {
            problems.Add($"The subscription '{subscription.Name}' has several handlers for {duplicates.Key}. Make one subscription for "
                + "each, so that each is retried alone.");
        }
    }

    /// <summary>Checks the settings that configuration has for subscriptions by name.</summary>
    private void CheckConfiguredNames()
    {
        foreach (var (name, configured) in options.Subscriptions)
        {
            OptionsCheck.Check(
                configured,
                new SubscriptionOptionsValidator(),
                $"{nameof(EventBusOptions)}.{nameof(options.Subscriptions)}['{name}']",
                problems);
        }

        foreach (var unknown in options.Subscriptions.Keys.Where(name => !names.Contains(name)))
        {
            string[] near = [.. NearNames.Of(unknown, names).Select(name => $"'{name}'")];
            problems.Add($"The configuration has settings for a subscription '{unknown}', which is not registered. "
                + (near.Length > 0
                    ? $"Did you mean {string.Join(" or ", near)}?"
                    : $"Registered are: {(names.Count == 0 ? "none" : string.Join(", ", names))}."));
        }
    }
}
