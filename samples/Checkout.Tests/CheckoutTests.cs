using System.Net;
using System.Net.Http.Json;
using EventBus;
using Microsoft.Extensions.DependencyInjection;

namespace Checkout.Tests;

/// <summary>Tests the shop as its customers use it: a request, then what the handlers did.</summary>
public sealed class CheckoutTests : IAsyncDisposable
{
    private readonly TestShop shop = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => shop.DisposeAsync();

    #region test
    [Fact]
    public async Task Checkout_OfACart_SendsOneReceiptAndReservesTheStock()
    {
        var reply = await PostAsync();
        await shop.WhenIdleAsync();

        Assert.Equal([(reply.OrderId, "ada")], shop.Mail.Sent);
        Assert.Equal(1, shop.Services.GetRequiredService<StockService>().Done);
        Assert.Empty(shop.Pager.Messages);
    }

    [Fact]
    public async Task Checkout_WhileTheMailServerIsDown_SucceedsAndTheReceiptFollowsTheRetryOfAnOperator()
    {
        shop.Mail.IsDown = true;
        var reply = await PostAsync();
        await shop.WhenIdleAsync();

        Assert.Contains("receipt failed for good on order.placed", Assert.Single(shop.Pager.Messages), StringComparison.Ordinal);
        Assert.Empty(shop.Mail.Sent);
        Assert.Equal(1, shop.Services.GetRequiredService<StockService>().Done);

        shop.Mail.IsDown = false;
        var deadLetters = shop.Services.GetRequiredService<IDeadLetters>();
        Assert.Equal(1, await deadLetters.RetryAllAsync(cancellationToken: Token));
        await shop.WhenIdleAsync();

        Assert.Equal([(reply.OrderId, "ada")], shop.Mail.Sent);
        Assert.Equal(1, shop.Services.GetRequiredService<StockService>().Done);
    }
    #endregion

    [Fact]
    public async Task Checkout_SentTwiceWithOneKey_IsOneOrderAndOneReceipt()
    {
        var first = await PostAsync("key-1");
        var second = await PostAsync("key-1");
        await shop.WhenIdleAsync();

        Assert.Equal(first.OrderId, second.OrderId);
        Assert.Equal([(first.OrderId, "ada")], shop.Mail.Sent);
    }

    [Fact]
    public async Task Checkout_OfAnItemThatIsNotInStock_IsRefusedAndStartsNoHandler()
    {
        using var customer = shop.CreateClient();
        using var response = await customer.PostAsJsonAsync("/checkout", new Cart("ada", [new CartItem("globe", 1)]), Token);
        await shop.WhenIdleAsync();

        Assert.Equal(HttpStatusCode.Conflict, response.StatusCode);
        Assert.Empty(shop.Mail.Sent);
    }

    [Theory]
    [InlineData("""{"userId":null,"items":[{"productId":"book","quantity":1}]}""", "no user")]
    [InlineData("""{"userId":" ","items":[{"productId":"book","quantity":1}]}""", "no user")]
    [InlineData("""{"userId":"ada"}""", "empty")]
    [InlineData("""{"userId":"ada","items":[{"quantity":1}]}""", "no product")]
    [InlineData("""{"userId":"ada","items":[null]}""", "no product")]
    public async Task Checkout_OfACartThatLacksSomething_IsRefusedAndSaysWhat(string cart, string reason)
    {
        using var customer = shop.CreateClient();
        using var content = new StringContent(cart, System.Text.Encoding.UTF8, "application/json");
        using var response = await customer.PostAsync("/checkout", content, Token);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains(reason, await response.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
    }

    private async Task<CheckoutReply> PostAsync(string? key = null)
    {
        using var customer = shop.CreateClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/checkout")
        {
            Content = JsonContent.Create(new Cart("ada", [new CartItem("book", 2)])),
        };
        if (key is not null)
        {
            request.Headers.Add("Idempotency-Key", key);
        }

        using var response = await customer.SendAsync(request, Token);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return (await response.Content.ReadFromJsonAsync<CheckoutReply>(Token))!;
    }
}
