namespace Checkout.Demo;

/// <summary>
/// Orders as several customers at the same time, each with a key. When they try again, it is with the same key.
/// </summary>
internal sealed class Customers(int count, TimeProvider time)
{
    private readonly string[] keys = [.. Enumerable.Range(0, count).Select(_ => $"{Guid.NewGuid()}")];

    /// <summary>Sends the request of each customer. A customer without an answer is null.</summary>
    public async Task<Answer?[]> OrderAsync(string url, CancellationToken cancellationToken)
    {
        // The answers wait until the user has stopped the broker. The token limits the scene.
        using var http = new HttpClient { BaseAddress = new Uri(url), Timeout = Timeout.InfiniteTimeSpan };
        var shop = new ShopClient(http, time);
        return await Task.WhenAll(keys.Select(key => OrderAsync(shop, key, cancellationToken)));
    }

    /// <summary>Describes the answers, the same ones together.</summary>
    public static string Describe(IEnumerable<Answer?> answers) =>
        string.Join("; ", answers.GroupBy(Describe).Select(group => $"{group.Count()} x {group.Key}"));

    private static string Describe(Answer? answer) =>
        answer is null ? "no answer" : answer.IsDelayed ? $"{(int)answer.Status}, delayed" : $"{(int)answer.Status}";

    private static async Task<Answer?> OrderAsync(ShopClient shop, string key, CancellationToken cancellationToken)
    {
        try
        {
            return await shop.CheckoutAsync("/checkout", ShopClient.Cart, key, cancellationToken);
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }
}
