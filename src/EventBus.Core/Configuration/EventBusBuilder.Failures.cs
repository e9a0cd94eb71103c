using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace EventBus;

// The settings for events that fail: retries, the circuit breaker, dead letters, alerts.
public sealed partial class EventBusBuilder
{
    /// <summary>
    /// Sets the number of retries of a failed event and the delays between them, for all subscriptions and saga steps
    /// that have no settings of their own.
    /// </summary>
    /// <param name="maxRetryAttempts">
    /// The number of retries after the first attempt, 0 to 100. Without this call: 3.
    /// </param>
    /// <param name="delay">
    /// The delay before the first retry, 0 to 1 day; each later one is longer by
    /// <see cref="RetryOptions.BackoffFactor"/>. Null leaves the delay unchanged. If it was never set, it is 5 s.
    /// </param>
    public EventBusBuilder Retry(int maxRetryAttempts, TimeSpan? delay = null) =>
        Configure(options => options.Retry.Set(maxRetryAttempts, delay));

    /// <summary>
    /// Sets the delays before the retries of a failed event, for all subscriptions and saga steps that have no settings
    /// of their own. There are as many retries as delays. The jitter applies to each delay.
    /// </summary>
    /// <param name="delays">The delays before the retries: 1 to 100 delays of 0 to 7 days each.</param>
    public EventBusBuilder Retry(params TimeSpan[] delays)
    {
        ArgumentNullException.ThrowIfNull(delays);
        return Configure(options => options.Retry.Delays = [.. delays]);
    }

    /// <summary>
    /// Sets the retries of a failed event, for all subscriptions and saga steps that have no settings of their own.
    /// </summary>
    /// <param name="configure">Changes the options. Runs when the bus is created, in the order of the calls.</param>
    public EventBusBuilder Retry(Action<RetryOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return Configure(options => configure(options.Retry));
    }

    /// <summary>
    /// Pauses a subscription when all its attempts fail (<see cref="SubscriptionBuilder.CircuitBreaker"/>). Applies to
    /// all subscriptions that have no settings of their own. Without this call, subscriptions are never paused.
    /// </summary>
    /// <param name="failures">The number of consecutive attempts that must fail, 1 to 1,000; 0 to never pause.</param>
    /// <param name="within">The time within which they must fail, 1 s to 1 day.</param>
    public EventBusBuilder CircuitBreaker(int failures, TimeSpan within) =>
        Configure(options =>
        {
            options.CircuitBreakerFailures = failures;
            options.CircuitBreakerWindow = within;
        });

    /// <summary>
    /// Declares an exception type permanent: an event whose handler throws it becomes a dead letter without a retry.
    /// </summary>
    /// <typeparam name="TException">The exception type. Derived types are included.</typeparam>
    public EventBusBuilder DeadLetterOn<TException>()
        where TException : Exception
    {
        registration.IsPermanent.Add(static exception => exception is TException);
        return this;
    }

    /// <summary>
    /// Declares some exceptions of a type permanent: an event whose handler throws one becomes a dead letter without a
    /// retry.
    /// </summary>
    /// <param name="predicate">
    /// Returns true for the exceptions that are permanent. Called concurrently, and possibly more than once for an
    /// exception. If it throws, that is logged, and the exception is not permanent.
    /// </param>
    /// <typeparam name="TException">The exception type. Derived types are included.</typeparam>
    public EventBusBuilder DeadLetterOn<TException>(Func<TException, bool> predicate)
        where TException : Exception
    {
        ArgumentNullException.ThrowIfNull(predicate);
        registration.IsPermanent.Add(exception => exception is TException typed && predicate(typed));
        return this;
    }

    /// <summary>
    /// Adds an alert, which is called for dead letters and for sagas that need an operator. Several alerts can be
    /// added. It is registered as a singleton, unless the application has registered it already.
    /// </summary>
    /// <typeparam name="TNotifier">The alert type.</typeparam>
    public EventBusBuilder AddAlert<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TNotifier>()
        where TNotifier : class, IDeadLetterNotifier
    {
        Services.TryAddSingleton<TNotifier>();
        registration.ResolvedTypes.Add(new ResolvedType(typeof(TNotifier), $"The alert {typeof(TNotifier)}", IsOfEvents: false));
        registration.Alerts.Add(static services => services.GetRequiredService<TNotifier>());
        return this;
    }

    /// <summary>
    /// Adds a webhook, which is called for dead letters and for sagas that need an operator. It receives a POST request
    /// with a JSON body with the fields <c>text</c> (one line, for chat tools), <c>service</c>, <c>subscription</c>,
    /// <c>event</c>, <c>reason</c>, <c>error</c>, <c>count</c>, <c>firstId</c> and <c>ids</c> (at most 100). Several
    /// webhooks can be added.
    /// </summary>
    /// <remarks>
    /// Network errors, timeouts and the status codes 408, 429 and 5xx are retried at most twice within the call, after
    /// 1 s to 5 s. If the call still fails, the failure is logged, and the alert is sent again later with the same ids.
    /// The URL is a secret: only its host is logged.
    /// </remarks>
    /// <param name="url">
    /// The URL: https, or http to this machine (<see cref="WebhookOptions.AllowInsecure"/> allows http to other
    /// machines). It must not contain a user name: use the <c>Authorization</c> header instead.
    /// </param>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public EventBusBuilder AddWebhookAlert(Uri url, Action<WebhookOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(url);
        var options = new WebhookOptions();
        configure?.Invoke(options);
        registration.Webhooks.Add((url, options));

        // Registered as a service, so that the container disposes it.
        var key = new object();
        Services.AddKeyedSingleton(
            key,
            (services, _) => new WebhookNotifier(url, options, services.GetService<TimeProvider>() ?? TimeProvider.System));
        registration.Alerts.Add(services => services.GetRequiredKeyedService<WebhookNotifier>(key));
        return this;
    }
}
