using EventBus;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Checkout;

/// <summary>One dead letter as operators see it: the reason in one line instead of a stack trace.</summary>
public sealed record FailedOrder(
    string Id,
    string Subscription,
    string EventName,
    DeadLetterReason Reason,
    int Attempts,
    DateTimeOffset LastFailedAt,
    string? Error);

/// <summary>
/// Lists the dead letters, and retries one when its cause is fixed. In a real shop these endpoints need authorization.
/// </summary>
public static class DeadLetterEndpoints
{
    public static void MapDeadLetters(this IEndpointRouteBuilder app)
    {
        app.MapGet("/dead-letters", ListAsync);

        app.MapPost("/dead-letters/retry", RetryAsync);
    }

    private static async Task<List<FailedOrder>> ListAsync(IDeadLetters deadLetters, CancellationToken cancellationToken) =>
        [.. (await deadLetters.ListAsync(cancellationToken: cancellationToken)).Select(Show)];

    private static async Task<Results<Accepted, NotFound>> RetryAsync(
        string id,
        IDeadLetters deadLetters,
        CancellationToken cancellationToken) =>
        await deadLetters.RetryAsync(id, cancellationToken) ? TypedResults.Accepted((string?)null) : TypedResults.NotFound();

    private static FailedOrder Show(DeadLetter letter) =>
        new(letter.Id, letter.Subscription, letter.EventName, letter.Reason, letter.Attempts, letter.LastFailedAt, letter.Error);
}
