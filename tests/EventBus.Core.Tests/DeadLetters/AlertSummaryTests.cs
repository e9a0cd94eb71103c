namespace EventBus;

/// <summary>Tests the line that operators get, and the call and the link in it.</summary>
public sealed class AlertSummaryTests
{
    [Fact]
    public void Summary_OfADeadLetter_NamesWhatOperatorsNeed()
    {
        Assert.Equal(
            "shop: mail failed for good on order.placed e1 (key order-7, 4 attempts, System.IO.IOException, HandlerFailed): "
                + "deadLetters.FindAsync(\"mail~e1\")",
            Alert().Summary);
    }

    [Fact]
    public void Summary_OfSeveral_CountsThemAndNamesTheFirst()
    {
        var alert = AlertFacts.AddSummary(Alert() with { Ids = [.. Enumerable.Range(1, 3_000).Select(number => $"mail~e{number}")] });

        Assert.StartsWith(
            "shop: mail failed for good on 3000 events, the first order.placed e1 (key order-7, 4 attempts, ",
            alert.Summary,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Summary_OfASaga_NamesItAndItsCall()
    {
        var alert = Alert(first => first with
        {
            Id = "trip-1",
            Subscription = "book-trip",
            EventId = "trip-1",
            EventName = "saga.needs-attention",
            Key = "trip-1",
            Attempts = 1,
            Reason = DeadLetterReason.SagaNeedsAttention,
        });

        Assert.Equal(
            "shop: book-trip needs attention: trip-1 (1 attempt, System.IO.IOException, SagaNeedsAttention): sagas.FindAsync(\"trip-1\")",
            alert.Summary);
    }

    [Fact]
    public void Summary_WithoutKeyAndException_LeavesThemOut()
    {
        var alert = Alert(first => first with { Key = null, ErrorType = null, Reason = DeadLetterReason.Unreadable, Attempts = 0 });

        Assert.Contains("order.placed e1 (0 attempts, Unreadable): ", alert.Summary, StringComparison.Ordinal);
    }

    [Fact]
    public void Summary_OfHostileTexts_IsOneBoundedPrintableLineWithoutTheError()
    {
        var hostile = $"a\r\nb\u0000\u202e\u2028\"\\\ud83d{new string('k', 1_024)}";
        var alert = Alert(first => first with
        {
            Id = $"mail~{hostile}",
            Subscription = hostile,
            EventId = hostile,
            EventName = hostile,
            Key = hostile,
            ErrorType = hostile,
            Error = "secret of a customer",
        }, hostile);

        Assert.True(PrintableText.IsPrintable(alert.Summary), PrintableText.Of(alert.Summary));
        Assert.True(PrintableText.IsPrintable(alert.FindCall), PrintableText.Of(alert.FindCall));
        Assert.InRange(alert.Summary.Length, 1, 3_500);
        Assert.InRange(alert.FindCall.Length, 1, 1_000);
        Assert.DoesNotContain("secret", alert.Summary, StringComparison.Ordinal);
        Assert.StartsWith("a\\u000D\\u000Ab\\u0000", alert.Summary, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("e1", "deadLetters.FindAsync(\"mail~e1\")")]
    [InlineData("a\"b\\c\n", "deadLetters.FindAsync(\"mail~a\\u0022b\\u005Cc\\u000A\")")]
    [InlineData("Grüße 😀", "deadLetters.FindAsync(\"mail~Grüße 😀\")")]
    public void FindCall_OfAnyId_IsALiteralOfCSharp(string eventId, string call)
    {
        Assert.Equal(call, Alert(first => first with { Id = $"mail~{eventId}", EventId = eventId }).FindCall);
    }

    [Fact]
    public void FindCall_OfAVeryLongId_ListsTheSubscriptionInsteadOfCuttingTheId()
    {
        var alert = Alert(first => first with { Id = $"mail~{new string('x', 1_024)}" });

        Assert.Equal("deadLetters.ListAsync(new DeadLetterFilter { Subscription = \"mail\" })", alert.FindCall);
    }

    [Theory]
    [InlineData(
        "https://ops.example/{service}/{subscription}/{id}?tab=1",
        "https://ops.example/shop/mail/mail~a%2F%7Bid%7D%20%0A%EF%BF%BD?tab=1")]
    [InlineData("https://ops.example/dead-letters", "https://ops.example/dead-letters")]
    [InlineData(null, null)]
    public void Link_OfATemplate_HasTheValuesEscaped(string? template, string? link)
    {
        var first = Alert(letter => letter with { Id = "mail~a/{id} \n\ud83d" }).First;

        Assert.Equal(link, AlertLink.Of(template, "shop", first.Id, first.Subscription));
    }

    [Fact]
    public void Link_ThatWouldBeTooLong_IsLeftOut()
    {
        var first = Alert(letter => letter with { Id = $"mail~{new string('ß', 1_024)}" }).First;

        Assert.Null(AlertLink.Of("https://ops.example/{id}", "shop", first.Id, first.Subscription));
    }

    [Fact]
    public void Summary_WithALink_NamesItInsteadOfTheCall()
    {
        Assert.EndsWith(
            "HandlerFailed): https://ops.example/mail~e1",
            AlertFacts.AddSummary(Alert() with { Link = "https://ops.example/mail~e1" }).Summary,
            StringComparison.Ordinal);
    }

    private static DeadLetterAlert Alert(Func<DeadLetter, DeadLetter>? change = null, string service = "shop")
    {
        var first = new DeadLetter
        {
            Id = "mail~e1",
            Subscription = "mail",
            EventId = "e1",
            EventName = "order.placed",
            Key = "order-7",
            Headers = new Dictionary<string, string> { ["card"] = "secret" },
            Reason = DeadLetterReason.HandlerFailed,
            Error = "System.IO.IOException: secret",
            ErrorType = "System.IO.IOException",
            Attempts = 4,
            FirstFailedAt = DateTimeOffset.UnixEpoch,
            LastFailedAt = DateTimeOffset.UnixEpoch,
            Body = "secret"u8.ToArray(),
        };
        first = change?.Invoke(first) ?? first;
        var call = first.Reason == DeadLetterReason.SagaNeedsAttention
            ? FindCalls.OfSaga(first.Id)
            : FindCalls.OfDeadLetter(first.Id, first.Subscription);
        return AlertFacts.AddSummary(new DeadLetterAlert(first, [first.Id]) { ServiceName = service, FindCall = call });
    }
}
