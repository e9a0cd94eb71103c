using System.Net;
using System.Net.Http.Json;

namespace Checkout.Demo;

/// <summary>Acts as the customer, and later as an operator, through HTTP.</summary>
internal sealed class ShopClient(HttpClient http, TimeProvider time)
{
    /// <summary>A cart whose items are in stock.</summary>
    public static readonly Cart Cart = new("ada", [new CartItem("book", 1), new CartItem("lamp", 1)]);

    /// <summary>A cart with an item that is not in stock.</summary>
    public static readonly Cart SoldOut = new("ada", [new CartItem("globe", 1)]);

    /// <summary>Requests the health, which also warms up the web server before the measurements.</summary>
    public Task<string> HealthAsync(CancellationToken cancellationToken) => http.GetStringAsync("/health", cancellationToken);

    public Task<Answer> CheckoutAsync(string path, CancellationToken cancellationToken) => CheckoutAsync(path, Cart, cancellationToken);

    public Task<Answer> CheckoutAsync(string path, Cart cart, CancellationToken cancellationToken) =>
        CheckoutAsync(path, cart, null, cancellationToken);

    public async Task<Answer> CheckoutAsync(string path, Cart cart, string? idempotencyKey, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(cart, AppJson.Default.Cart) };
        if (idempotencyKey is not null)
        {
            request.Headers.Add("Idempotency-Key", idempotencyKey);
        }

        var sent = time.GetTimestamp();
        using var response = await http.SendAsync(request, cancellationToken);
        var elapsed = time.GetElapsedTime(sent);
        if (response.IsSuccessStatusCode)
        {
            var reply = await response.Content.ReadFromJsonAsync(AppJson.Default.CheckoutReply, cancellationToken);
            return new Answer(path, response.StatusCode, sent, elapsed, reply!.OrderId, null) { IsDelayed = reply.IsDelayed };
        }

        var problem = await response.Content.ReadFromJsonAsync(AppJson.Default.ProblemDetails, cancellationToken);
        return new Answer(path, response.StatusCode, sent, elapsed, null, problem!.Title);
    }

    /// <summary>Cancels an order. Returns the status, and the new version or the reason of the refusal.</summary>
    public async Task<(HttpStatusCode Status, long Version, string? Problem)> CancelAsync(
        string orderId,
        CancellationToken cancellationToken)
    {
        using var response = await http.PostAsync($"/orders/{orderId}/cancel", null, cancellationToken);
        if (response.IsSuccessStatusCode)
        {
            var reply = await response.Content.ReadFromJsonAsync(AppJson.Default.CancelReply, cancellationToken);
            return (response.StatusCode, reply!.Version, null);
        }

        var problem = await response.Content.ReadFromJsonAsync(AppJson.Default.ProblemDetails, cancellationToken);
        return (response.StatusCode, 0, problem!.Title);
    }

    /// <summary>
    /// Returns the orders of a user. With an order it waits for the order, in this version or a newer one.
    /// </summary>
    public async Task<IReadOnlyList<OrderRow>> OrdersAsync(
        string user,
        string? order = null,
        long version = 1,
        CancellationToken cancellationToken = default)
    {
        var path = $"/orders?user={user}{(order is null ? "" : $"&order={order}&version={version}")}";
        return (await http.GetFromJsonAsync(path, AppJson.Default.OrderPage, cancellationToken))!.Orders;
    }

    public async Task<IReadOnlyList<BoughtProduct>> ProductsAsync(string user, CancellationToken cancellationToken) =>
        (await http.GetFromJsonAsync($"/orders/products?user={user}", AppJson.Default.IReadOnlyListBoughtProduct, cancellationToken))!;

    public async Task RebuildAsync(CancellationToken cancellationToken)
    {
        using var response = await http.PostAsync("/orders/rebuild", null, cancellationToken);
        response.EnsureSuccessStatusCode();
    }

    public async Task<List<FailedOrder>> DeadLettersAsync(CancellationToken cancellationToken) =>
        await http.GetFromJsonAsync("/dead-letters", AppJson.Default.ListFailedOrder, cancellationToken) ?? [];

    public async Task<HttpStatusCode> RetryAsync(string deadLetterId, CancellationToken cancellationToken)
    {
        using var response = await http.PostAsync($"/dead-letters/retry?id={Uri.EscapeDataString(deadLetterId)}", null, cancellationToken);
        return response.StatusCode;
    }
}

/// <summary>The answer to a checkout, and the time that it took.</summary>
internal sealed record Answer(string Path, HttpStatusCode Status, long Sent, TimeSpan Elapsed, string? OrderId, string? Problem)
{
    public bool IsDelayed { get; init; }

    public bool Succeeded => OrderId is not null;
}
