using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Checks a registration against its options, its backend and its stores, and creates the plan of the bus. Reports all
/// errors together.
/// </summary>
internal sealed class BusPlanner(BusRegistration registration, EventBusOptions options, TransportFeatures? features, BusStores? stores)
{
    private readonly List<string> problems = [];

    /// <summary>Creates the plan.</summary>
    /// <param name="sagas">The sagas of the registration.</param>
    /// <param name="applicationName">The name of the application; null if the host gives none.</param>
    /// <param name="earlierProblems">The errors that were found before.</param>
    /// <exception cref="EventBusConfigurationException">The registration has at least one error.</exception>
    public BusPlan Plan(IReadOnlyList<SagaDescription> sagas, string? applicationName, IEnumerable<string> earlierProblems)
    {
        problems.AddRange(earlierProblems);
        CheckTransports();
        var forwards = new ForwardCheck(registration, problems);
        var serializes = features?.Serializes != false || stores is { Durable: true } || forwards.IsConcerned;
        if (serializes && BusNames.ProblemOf(options.ServiceName, applicationName) is { } problem)
        {
            problems.Add(problem);
        }

        CheckKeys();
        problems.AddRange(EventBusSection.Problems(registration));
        OptionsCheck.Check(options, new EventBusOptionsValidator(), null, problems);
        CheckWebhooks();
        var json = CreateJson(out var isAsSet);
        if (serializes || registration.Sagas.Count > 0)
        {
            json.Seal();
        }

        var events = new EventPlanner(registration, problems).Plan(json, serializes && isAsSet);
        SagaCheck.CheckNeeds(registration, isAsSet ? json : null, stores, problems);
        forwards.Check(features, stores, options.Consume);
        var subscriptions = new SubscriptionPlanner(registration, options, events, problems).Plan();
        var lostJsonData = isAsSet
            ? new JsonContractCheck(registration, json, problems).Check(events.Values, subscriptions, serializes)
            : [];
        IReadOnlyList<SubscriptionPlan> consumed = options.Consume ? subscriptions : [];
        new BackendCheck(features, stores, problems).Check(registration, options, events.Values, consumed);
        if (problems.Count > 0)
        {
            throw new EventBusConfigurationException(problems);
        }

        return new BusPlan
        {
            Registration = registration,
            Options = options,
            ServiceName = BusNames.OfBus(BusNames.OfService(options.ServiceName, applicationName), registration.Key),
            Json = json,
            Events = new EventRegistry([.. events.Values], registration.Upcasts, json),
            Subscriptions = consumed,
            Sagas = sagas,
            LostJsonData = lostJsonData,
        };
    }

    /// <param name="isAsSet">
    /// False if a function of the application failed: the types would be checked with other options than the
    /// application wants.
    /// </param>
    private EventJson CreateJson(out bool isAsSet)
    {
        isAsSet = true;
        var maxDepth = Math.Clamp(options.MaxDepth, 1, 1_000);
        try
        {
            return new EventJson(registration.JsonContexts, maxDepth, registration.JsonSettings);
        }
        catch (Exception exception)
        {
            isAsSet = false;
            problems.Add($"A function given to bus.UseJson(...) failed: {ExceptionText.MessageOf(exception)} Correct what it sets.");
            return new EventJson(registration.JsonContexts, maxDepth);
        }
    }

    private void CheckTransports()
    {
        var transports = registration.Transports;
        if (transports.Count == 0)
        {
            problems.Add("No backend was chosen, so events cannot be delivered. Call bus.UseInMemory(), or the Use... method of another "
                + "backend's package.");
        }
        else if (transports.Count > 1)
        {
            var another = registration.Key is { } key
                ? $"another bus under a key other than '{key}'"
                : "a second bus with AddKeyedEventBus(...)";
            problems.Add($"Several backends were chosen ({string.Join(", ", transports.Select(t => $"bus.{t.Call}"))}), and a bus has one. "
                + $"Keep one of the calls, or make {another}.");
        }
    }

    private void CheckKeys()
    {
        if (registration.Key is null)
        {
            return;
        }

        // Health check names are case-insensitive.
        var alike = registration.Others.FirstOrDefault(
            other => string.Equals(other.Key, registration.Key, StringComparison.OrdinalIgnoreCase));
        if (alike is not null)
        {
            problems.Add($"Two buses have keys that differ only in case, '{registration.Key}' and '{alike.Key}', so that their health "
                + "checks would have one name. Give one of them another key.");
        }
    }

    private void CheckWebhooks()
    {
        foreach (var (url, webhook) in registration.Webhooks)
        {
            OptionsCheck.Check(webhook, new WebhookOptionsValidator(), null, problems);
            problems.AddRange(webhook.Problems(url));
        }
    }
}
