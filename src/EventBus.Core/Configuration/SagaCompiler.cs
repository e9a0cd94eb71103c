using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Checks the registered sagas when the bus starts, and creates their definitions.</summary>
internal static class SagaCompiler
{
    private const int MaxSteps = 1_000;
    private const int MaxNameLength = 100;

    private static readonly TimeSpan MinTimeout = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan MaxStepTimeout = TimeSpan.FromDays(1);
    private static readonly TimeSpan MaxReplyTimeout = TimeSpan.FromDays(365);

    /// <summary>
    /// Reads the steps of every saga, and adds a subscription for the replies that its steps wait for.
    /// </summary>
    /// <param name="registration">The registration, to which the subscriptions are added.</param>
    /// <param name="services">The services of the application, which create the sagas.</param>
    /// <param name="receive">Passes a reply to the saga of the given name.</param>
    /// <param name="problems">The errors of the registration.</param>
    /// <returns>
    /// The descriptions of the valid sagas. <see cref="Complete"/> completes them after the event types are checked.
    /// </returns>
    public static async Task<IReadOnlyList<SagaDescription>> DescribeAsync(
        BusRegistration registration,
        IServiceProvider services,
        Func<string, EventContext, CancellationToken, Task> receive,
        List<string> problems)
    {
        var descriptions = new List<SagaDescription>();
        foreach (var saga in registration.Sagas)
        {
            if (!EventNameRules.IsWord(saga.Name) || saga.Name.Length > MaxNameLength)
            {
                problems.Add($"The saga name '{saga.Name}' is invalid: one lower-case word of letters, digits and hyphens inside, at "
                    + $"most {MaxNameLength} characters, for instance book-trip.");
            }

            if (await TryDescribeAsync(saga, services, problems) is not { } described)
            {
                continue;
            }

            var problemsBefore = problems.Count;
            Check(saga, described.StateVersion, described.Steps, problems);
            if (problems.Count == problemsBefore)
            {
                descriptions.Add(new SagaDescription(saga, described.StateVersion, described.Steps));
                Subscribe(registration, saga, described.Steps, receive, problems);
            }
        }

        CheckDuplicates(registration.Sagas, problems);
        return descriptions;
    }

    /// <summary>
    /// Creates the definition of a saga. Settings that the saga does not set get the values of the bus.
    /// </summary>
    public static SagaDefinition Complete(
        SagaDescription description,
        EventBusOptions options,
        EventRegistry events,
        EventJson json,
        RandomSource random,
        ILogger log)
    {
        var steps = new List<SagaStepDefinition>();
        foreach (var step in description.Steps)
        {
            var reply = step.ReplyType is null ? null : events.For(step.ReplyType);
            steps.Add(new SagaStepDefinition(
                step,
                new RetryPolicy(RetrySettings.Merge(step.Retry, options.Retry), step.PermanentPredicates, random, log),
                new RetryPolicy(RetrySettings.Merge(step.RetryCompensation, options.Retry), [], random, log),
                step.Timeout ?? options.Sagas.StepTimeout)
            {
                ReplyName = reply?.Name,
                ReplyJson = reply?.Json,
            });
        }

        return new SagaDefinition(
            description.Registration,
            description.StateVersion,
            steps,
            json.Find(description.Registration.StateType)!);
    }

    /// <summary>Checks that the JSON contexts and the stores support the registered sagas.</summary>
    public static void CheckNeeds(BusRegistration registration, EventJson json, BusStores? stores, List<string> problems)
    {
        foreach (var saga in registration.Sagas.Where(saga => json.Find(saga.StateType) is null))
        {
            problems.Add($"The state {saga.StateType} of the saga '{saga.Name}' cannot be written as JSON. Add "
                + $"[JsonSerializable(typeof({saga.StateType.Name}))] to the context that is given to bus.UseJson(...).");
        }

        if (registration.Sagas.Count > 0 && stores?.Sagas is null)
        {
            problems.Add($"The saga '{registration.Sagas[0].Name}' needs a store that keeps sagas, and "
                + $"{(stores is null ? "there is none" : $"the store '{stores.Name}' does not")}. Add one that does: "
                + "bus.StoreInSqlite(...), bus.StoreInRedis(...), or bus.StoreInMemory() for one in memory only.");
        }
    }

    private static async Task<(int StateVersion, IReadOnlyList<SagaStepRegistration> Steps)?> TryDescribeAsync(
        SagaRegistration saga,
        IServiceProvider services,
        List<string> problems)
    {
        try
        {
            await using var scope = services.CreateAsyncScope();
            return saga.Describe(scope.ServiceProvider);
        }
        catch (Exception exception)
        {
            problems.Add(
                $"The saga '{saga.Name}' ({saga.SagaType}) cannot be created to read its steps: {ExceptionText.MessageOf(exception)}");
            return null;
        }
    }

    private static void Check(SagaRegistration saga, int stateVersion, IReadOnlyList<SagaStepRegistration> steps, List<string> problems)
    {
        if (steps.Count is 0 or > MaxSteps)
        {
            problems.Add($"The saga '{saga.Name}' has {steps.Count} steps; 1 to {MaxSteps:N0} are allowed. Add them in its Define method.");
        }

        if (stateVersion < 1)
        {
            problems.Add($"The state version {stateVersion} of the saga '{saga.Name}' is invalid. Versions count from 1.");
        }

        foreach (var duplicates in steps.GroupBy(step => step.Name, StringComparer.Ordinal).Where(group => group.Count() > 1))
        {
            problems.Add($"The saga '{saga.Name}' has {duplicates.Count()} steps named '{duplicates.Key}', whose idempotency keys would "
                + "be the same. Give each a name of its own.");
        }

        if (steps.Where(step => step.IsPivot).Skip(1).Any())
        {
            problems.Add($"The saga '{saga.Name}' has several pivots, and after the first nothing can be undone. Keep the first of them, "
                + "and make the others steps.");
        }

        foreach (var step in steps.SkipWhile(step => !step.IsPivot).Where(step => step.HasCompensation))
        {
            problems.Add($"The step '{step.Name}' of the saga '{saga.Name}' comes after the pivot, where nothing can be undone, so its "
                + "compensation would never run. Remove the compensation, or move the step before the pivot.");
        }

        foreach (var step in steps)
        {
            CheckStep(saga, step, problems);
        }
    }

    private static void CheckStep(SagaRegistration saga, SagaStepRegistration step, List<string> problems)
    {
        var owner = $"the step '{step.Name}' of the saga '{saga.Name}'";
        if (!EventNameRules.IsWord(step.Name) || step.Name.Length > MaxNameLength)
        {
            problems.Add($"The step name '{step.Name}' of the saga '{saga.Name}' is invalid: one lower-case word of letters, digits and "
                + $"hyphens inside, at most {MaxNameLength} characters, for instance book-flight.");
        }

        if (step.Timeout is { } timeout)
        {
            OptionsCheck.Range(timeout, MinTimeout, MaxStepTimeout, $"The timeout of {owner}", problems);
        }

        OptionsCheck.Check(step.Retry, new RetryOptionsValidator(), $"Saga '{saga.Name}'.Step '{step.Name}'.Retry", problems);
        if (step.RetryCompensation is { } compensation)
        {
            OptionsCheck.Check(
                compensation,
                new RetryOptionsValidator(),
                $"Saga '{saga.Name}'.Step '{step.Name}'.RetryCompensation",
                problems);
        }

        if (step.RetryCompensation is not null && !step.HasCompensation)
        {
            problems.Add($"RetryCompensation is set on {owner}, which has no compensation. Add one, or remove the call.");
        }

        if (step.ReplyType is not null)
        {
            OptionsCheck.Range(step.ReplyTimeout, MinTimeout, MaxReplyTimeout, $"The wait for the reply of {owner}", problems);
        }
    }

    private static void CheckDuplicates(IReadOnlyList<SagaRegistration> sagas, List<string> problems)
    {
        foreach (var duplicates in sagas.GroupBy(saga => saga.Name, StringComparer.Ordinal).Where(group => group.Count() > 1))
        {
            problems.Add($"Several sagas are named '{duplicates.Key}': {string.Join(" and ", duplicates.Select(saga => saga.SagaType))}. "
                + "Give each a name of its own: bus.AddSaga<TSaga, TState>(\"...\").");
        }

        foreach (var duplicates in sagas.GroupBy(saga => saga.StateType).Where(group => group.Count() > 1))
        {
            problems.Add($"The sagas {string.Join(" and ", duplicates.Select(saga => $"'{saga.Name}'"))} share the state type "
                + $"{duplicates.Key}, so that the type of a state does not say which saga to start. Give each saga its own state type.");
        }
    }

    /// <summary>
    /// Adds the subscription for the replies to a saga. Does nothing if it exists already, which is the case when the
    /// start of the bus is retried.
    /// </summary>
    private static void Subscribe(
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
