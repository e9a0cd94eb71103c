using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Reads the steps of the registered sagas when the bus starts, and creates their definitions.</summary>
internal static class SagaCompiler
{
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
            SagaCheck.CheckName(saga.Name, problems);
            if (await TryDescribeAsync(saga, services, problems) is not { } described)
            {
                continue;
            }

            var problemsBefore = problems.Count;
            SagaCheck.Check(saga, described.StateVersion, described.Steps, problems);
            if (problems.Count == problemsBefore)
            {
                descriptions.Add(new SagaDescription(saga, described.StateVersion, described.Steps));
                SagaReplySubscription.Add(registration, saga, described.Steps, receive, problems);
            }
        }

        SagaCheck.CheckDuplicates(registration.Sagas, problems);
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
}
