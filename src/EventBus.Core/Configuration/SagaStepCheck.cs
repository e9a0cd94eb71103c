namespace EventBus;

/// <summary>Checks each step of a saga, and adds its mistakes to the errors of the registration.</summary>
internal static class SagaStepCheck
{
    private static readonly TimeSpan MinTimeout = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan MaxStepTimeout = TimeSpan.FromDays(1);
    private static readonly TimeSpan MaxReplyTimeout = TimeSpan.FromDays(365);

    /// <summary>Checks the name, the timeouts and the retries of a step.</summary>
    public static void Check(SagaRegistration saga, SagaStepRegistration step, List<string> problems)
    {
        var owner = $"the step '{step.Name}' of the saga '{saga.Name}'";
        if (!EventNameRules.IsWord(step.Name) || step.Name.Length > SagaCheck.MaxNameLength)
        {
            problems.Add($"The step name '{step.Name}' of the saga '{saga.Name}' is invalid: one lower-case word of letters, digits and "
                + $"hyphens inside, at most {SagaCheck.MaxNameLength} characters, for instance book-flight.");
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
}
