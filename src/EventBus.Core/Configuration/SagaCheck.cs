using EventBus.Stores;

namespace EventBus;

/// <summary>Checks the registered sagas, and adds their mistakes to the errors of the registration.</summary>
internal static class SagaCheck
{
    /// <summary>The maximum length of the name of a saga or a step, in characters.</summary>
    public const int MaxNameLength = 100;

    private const int MaxSteps = 1_000;

    /// <summary>Checks the name of a saga.</summary>
    public static void CheckName(string name, List<string> problems)
    {
        if (!EventNameRules.IsWord(name) || name.Length > MaxNameLength)
        {
            problems.Add($"The saga name '{name}' is invalid: one lower-case word of letters, digits and hyphens inside, at "
                + $"most {MaxNameLength} characters, for instance book-trip.");
        }
    }

    /// <summary>Checks the state version and the steps that a saga has declared.</summary>
    public static void Check(SagaRegistration saga, int stateVersion, IReadOnlyList<SagaStepRegistration> steps, List<string> problems)
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
            SagaStepCheck.Check(saga, step, problems);
        }
    }

    /// <summary>Checks that no two sagas share a name or a state type.</summary>
    public static void CheckDuplicates(IReadOnlyList<SagaRegistration> sagas, List<string> problems)
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

    /// <summary>Checks that the JSON contexts and the stores support the registered sagas.</summary>
    /// <param name="registration">The registration of the bus.</param>
    /// <param name="json">The JSON type information; null to leave out the states.</param>
    /// <param name="stores">The stores; null for none.</param>
    /// <param name="problems">The list to which errors are added.</param>
    public static void CheckNeeds(BusRegistration registration, EventJson? json, BusStores? stores, List<string> problems)
    {
        foreach (var saga in registration.Sagas)
        {
            string? reason = null;
            if (json is not null && json.Find(saga.StateType, out reason) is null)
            {
                problems.Add($"The state {saga.StateType} of the saga '{saga.Name}' cannot be written as JSON"
                    + (reason is null
                        ? $". Add [JsonSerializable(typeof({saga.StateType.Name}))] to the context that is given to bus.UseJson(...)."
                        : $": {reason}"));
            }
        }

        if (registration.Sagas.Count > 0 && stores?.Sagas is null)
        {
            problems.Add($"The saga '{registration.Sagas[0].Name}' needs a store that keeps sagas, and "
                + $"{(stores is null ? "there is none" : $"the store '{stores.Name}' does not")}. Add one that does: "
                + "bus.StoreInSqlite(...), bus.StoreInRedis(...), or bus.StoreInMemory() for one in memory only.");
        }
    }
}
