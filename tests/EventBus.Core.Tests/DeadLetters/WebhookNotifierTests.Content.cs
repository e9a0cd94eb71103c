using System.Text.Json;

namespace EventBus;

public sealed partial class WebhookNotifierTests
{
    private const string Facts = "(key k, 4 attempts, System.IO.IOException, HandlerFailed)";

    [Fact]
    public async Task Post_DeadLetter_IsJsonWithEveryMember()
    {
        await using var server = new WebhookServer(_ => WebhookServer.Ok);
        var options = new WebhookOptions { Headers = { ["Authorization"] = "Bearer abc", ["X-Team"] = "ops" } };
        using var webhook = new WebhookNotifier(new Uri($"{server.Url}/a%20b?key=1"), options, time);

        await webhook.NotifyAsync(Alert("Broken: \"ß\" 😀"), Token);

        var post = await server.NextAsync();
        Assert.Equal("POST /hook/a%20b?key=1 HTTP/1.1", post.Request);
        Assert.Equal(
            ("application/json; charset=utf-8", "Bearer abc", "ops"),
            (post.Headers["Content-Type"], post.Headers["Authorization"], post.Headers["X-Team"]));
        AssertJson(
            $$"""
            {
              "text": "shop: mail failed for good on order.placed 1 {{Facts}}, deadLetters.FindAsync(\"mail~1\"): Broken: \"ß\" 😀",
              "service": "shop", "subscription": "mail", "event": "order.placed", "eventId": "1", "key": "k", "attempts": 4,
              "errorType": "System.IO.IOException", "reason": "HandlerFailed", "error": "Broken: \"ß\" 😀",
              "count": 1, "firstId": "mail~1", "ids": ["mail~1"], "find": "deadLetters.FindAsync(\"mail~1\")", "link": null
            }
            """,
            post.Body);
    }

    [Fact]
    public async Task Post_ManyDeadLettersWithoutErrors_CountsAllAndNamesAHundred()
    {
        await using var server = new WebhookServer(_ => WebhookServer.Ok);
        using var webhook = new WebhookNotifier(server.Url, new WebhookOptions { IncludeError = false }, time);
        var ids = Enumerable.Range(1, 250).Select(number => $"mail~{number}").ToList();

        await webhook.NotifyAsync(
            Alert("Mr. Smith owes 5") with { Ids = ids, ServiceName = "", Link = "https://ops.example/mail~1" },
            Token);

        AssertJson(
            $$"""
            {
              "text": "mail failed for good on 250 events, the first order.placed 1 {{Facts}}, https://ops.example/mail~1",
              "service": "", "subscription": "mail", "event": "order.placed", "eventId": "1", "key": "k", "attempts": 4,
              "errorType": "System.IO.IOException", "reason": "HandlerFailed",
              "count": 250, "firstId": "mail~1", "ids": [{{string.Join(',', ids.Take(100).Select(id => $"\"{id}\""))}}],
              "find": "deadLetters.FindAsync(\"mail~1\")", "link": "https://ops.example/mail~1"
            }
            """,
            (await server.NextAsync()).Body);
    }

    [Fact]
    public async Task Post_UnusualError_IsOneLineOfValidText()
    {
        await using var server = new WebhookServer(_ => WebhookServer.Ok);
        using var webhook = new WebhookNotifier(server.Url, new WebhookOptions(), time);

        await webhook.NotifyAsync(Alert("first\r\nsecond\tthird\u0085\u2028\u2029fourth, half an emoji: \ud83d"), Token);

        using var json = JsonDocument.Parse((await server.NextAsync()).Body);
        Assert.EndsWith(
            ": first  second third   fourth, half an emoji: \ufffd",
            json.RootElement.GetProperty("text").GetString(),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Post_ForeignTexts_AreNoMarkupInTheTextAndCompleteInTheFields()
    {
        const string Markup = "<!channel> <https://evil.example|click> [x](http://evil.example) @everyone *b* _i_ ~s~ `c` :fire: #a | & "
            + "> $x^2$ www.evil.example {{h}} \u202e";
        await using var server = new WebhookServer(_ => WebhookServer.Ok);
        using var webhook = new WebhookNotifier(server.Url, new WebhookOptions { IncludeError = true }, time);
        Assert.InRange(Markup.Length, 1, 150);
        var alert = Alert($"Failed: {Markup}");
        alert = new DeadLetterAlert(
            alert.First with { Id = $"mail~{Markup}", EventId = Markup, EventName = $"order.{Markup}" },
            [$"mail~{Markup}"])
        { FindCall = FindCalls.OfDeadLetter($"mail~{Markup}", "mail") };

        await webhook.NotifyAsync(alert, Token);

        using var json = JsonDocument.Parse((await server.NextAsync()).Body);
        var text = json.RootElement.GetProperty("text").GetString()!;
        Assert.True(text.Contains(
            "deadLetters.FindAsync(\"mail~??channel? ?https???evil.example?click? ?x?(http???evil.example) ?everyone ?b? ?i? ?s? ?c? "
                + "?fire: ?a ? ? ? "
                + "?x?2? www?evil.example ??h?? ",
            StringComparison.Ordinal), text);
        Assert.Equal(1, text.Count(c => c == '~'));
        Assert.True(text.IndexOfAny([.. "<>*`@#[]|&$^{}\\/_\u202e"]) < 0, text);
        Assert.Equal(
            ($"mail~{Markup}", $"Failed: {Markup}"),
            (json.RootElement.GetProperty("firstId").GetString(), json.RootElement.GetProperty("error").GetString()));
    }

    [Fact]
    public async Task Post_LongError_IsCutBetweenCharactersInTheText()
    {
        await using var server = new WebhookServer(_ => WebhookServer.Ok);
        using var webhook = new WebhookNotifier(server.Url, new WebhookOptions(), time);
        var error = new string('x', 299) + "😀" + new string('y', 1_000);

        await webhook.NotifyAsync(Alert(error), Token);

        using var json = JsonDocument.Parse((await server.NextAsync()).Body);
        Assert.Equal(error, json.RootElement.GetProperty("error").GetString());
        Assert.EndsWith($": {new string('x', 299)}", json.RootElement.GetProperty("text").GetString(), StringComparison.Ordinal);
    }

    private static void AssertJson(string expected, string actual)
    {
        using var first = JsonDocument.Parse(expected);
        using var second = JsonDocument.Parse(actual);
        Assert.True(JsonElement.DeepEquals(first.RootElement, second.RootElement), actual);
    }
}
