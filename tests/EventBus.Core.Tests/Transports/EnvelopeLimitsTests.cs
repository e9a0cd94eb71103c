using System.Text;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>Shows that received attributes are limited on every transport.</summary>
public sealed class EnvelopeLimitsTests
{
    private const string Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    private static readonly EnvelopeAttributes Plain = new() { Id = "1", Name = "order.placed" };

    [Fact]
    public void Attributes_AtTheirBounds_AreUnchanged()
    {
        var headers = Enumerable.Range(0, 64).ToDictionary(i => $"h{i:D3}", _ => new string('ü', 510), StringComparer.Ordinal);

        var envelope = new Envelope(
            new EnvelopeAttributes
            {
                Id = Long(1_024),
                Name = $"order.{Long(194)}",
                Key = Long(1_024),
                CorrelationId = Long(1_024),
                CausationId = Long(1_024),
                Source = Long(1_024),
                ContentType = Long(255),
                TraceState = Long(512),
                TraceParent = Trace,
                Headers = headers,
            },
            []);

        Assert.Null(envelope.Defect);
        Assert.Equal(
            (1_024, 200, 1_024, 1_024, 1_024),
            (envelope.Id.Length, envelope.Name.Length, envelope.Key!.Length, envelope.CorrelationId.Length, envelope.CausationId!.Length));
        Assert.Equal((1_024, 255, 512, Trace, 64), (
            envelope.Source!.Length,
            envelope.ContentType.Length,
            envelope.TraceState!.Length,
            envelope.TraceParent,
            envelope.Headers.Count));
    }

    public static TheoryData<string, int> Bounds => new()
    {
        { "id", 1_024 },
    { "type", 200 },
    { "partitionkey", 1_024 },
    { "correlationid", 1_024 },
    { "causationid", 1_024 },
    { "source", 1_024 },
    { "datacontenttype", 255 },
    { "tracestate", 512 },
    };

    [Theory]
    [MemberData(nameof(Bounds))]
    public void Attribute_BeyondItsBound_IsCutAndNamedWithItsLength(string attribute, int bound)
    {
        var envelope = new Envelope(With(attribute, Long(bound + 1)), []);

        Assert.Equal($"The attribute '{attribute}' has {bound + 1:N0} characters; at most {bound:N0} are read.", envelope.Defect);
        AssertWithinBounds(envelope);
    }

    [Theory]
    [MemberData(nameof(Bounds))]
    public void Attribute_WithACharacterThatIsNotAllowed_IsCutAndNamed(string attribute, int bound)
    {
        // Controls (C0, DEL, C1), line and paragraph separators, lone surrogates, noncharacters.
        Assert.InRange(bound, 10, 1_024);
        foreach (var c in "\0\r\n\t\u001b\u007f\u0085\u009b\u2028\u2029\ud800\udc00\ufdd0\uffff")
        {
            var envelope = new Envelope(With(attribute, $"a{c}b"), []);
            if (attribute == "tracestate")
            {
                // An unusable trace state is dropped, and the event is valid.
                Assert.Equal((null, null), (envelope.TraceState, envelope.Defect));
                continue;
            }

            Assert.Contains(
                $"'{attribute}' has 3 characters, and the one at index 1 is not allowed: U+{(int)c:X4}",
                envelope.Defect,
                StringComparison.Ordinal);
            AssertWithinBounds(envelope);
        }
    }

    [Theory]
    [InlineData("日本 😀 'a' \"b\" \\ <c> a\u0308")]
    [InlineData("")]
    public void Attribute_WithUnusualCharacters_IsKept(string text) =>
        Assert.Null(new Envelope(Plain with { CorrelationId = text, Key = text }, []).Defect);

    [Theory]
    [InlineData(65, 1, "65 headers")]
    [InlineData(64, 1_021, "65,600 bytes")]
    public void Headers_BeyondTheirBounds_AreOmittedAndCounted(int count, int length, string expected)
    {
        var envelope = new Envelope(Plain with
        {
            Headers = Enumerable.Range(0, count)
            .ToDictionary(i => $"h{i:D3}", _ => new string('v', length), StringComparer.Ordinal)
        }, []);

        Assert.Contains(expected, envelope.Defect, StringComparison.Ordinal);
        AssertWithinBounds(envelope);
    }

    [Fact]
    public void Headers_OfManyBytesInFewCharacters_AreCountedAsUtf8()
    {
        var envelope = new Envelope(Plain with { Headers = new Dictionary<string, string> { ["a"] = new('漢', 21_845), ["b"] = "" } }, []);

        Assert.Equal("The headers have 65,537 bytes as UTF-8, names and values together; at most 65,536 are read.", envelope.Defect);
    }

    [Theory]
    [InlineData("")]
    [InlineData("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01")]
    [InlineData("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    [InlineData("00-00000000000000000000000000000000-b7ad6b7169203331-01")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more")]
    [InlineData("00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01")]
    [InlineData("someone@example.com")]
    public void TraceParent_Invalid_IsOmitted(string text)
    {
        var envelope = new Envelope(Plain with { TraceParent = text }, []);

        Assert.Equal((null, null), (envelope.TraceParent, envelope.Defect));
    }

    [Fact]
    public void Ids_BeyondTheirBound_StayDistinctAndEqualForACopy()
    {
        string[] ids = [Long(1_025), Long(1_024) + "y", Long(2_000), "a\nb", "a\rb", "a\ud800", "a\ud801"];

        var cut = ids.Select(id => new Envelope(Plain with { Id = id }, []).Id).ToList();

        Assert.Equal(ids.Length, cut.Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(cut, ids.Select(id => new Envelope(Plain with { Id = id }, []).Id));
    }

    [Fact]
    public void Defect_StoredAndRead_IsTheSame()
    {
        var envelope = new Envelope(Plain with { Id = Long(5_000), CorrelationId = "a\nb", Key = Long(2_000) }, [1]);

        var read = StoreFormat.Read(StoreFormat.WriteAttributes(envelope), [1], "other", "other.name");

        Assert.Equal(
            (envelope.Defect, envelope.Id, envelope.CorrelationId, envelope.Key),
            (read.Defect, read.Id, read.CorrelationId, read.Key));
    }

    [Fact]
    public async Task DeadLetter_OfAnOverlongId_IsFoundAndFailsAgainWhenRetried()
    {
        var transport = new InjectingTransport();
        await using var bus = await RunningBus.StartAsync(bus => bus.UseTransport("UseScript()", _ => transport)
            .StoreInMemory()
            .AddAlert<AlertInbox>()
            .Configure(options => options.AlertInterval = TimeSpan.Zero)
                .Subscribe<OrderPlaced>("mail", (_, _, _) => throw new InvalidOperationException("Not to be called.")));
        var alerts = bus.Services.GetRequiredService<AlertInbox>();
        var cancel = TestContext.Current.CancellationToken;

        await transport.DeliverAsync(
            (Plain with { Id = Long(1_025) }, "{}"u8.ToArray()),
            (Plain with { Id = Long(1_026) }, "{}"u8.ToArray()));

        var letters = await bus.DeadLetters.ListAsync(cancellationToken: cancel);
        Assert.Equal([
            "The attribute 'id' has 1,025 characters; at most 1,024 are read.",
            "The attribute 'id' has 1,026 characters; at most 1,024 are read."
        ], letters.Select(letter => letter.Error).Order(StringComparer.Ordinal));
        foreach (var letter in letters)
        {
            Assert.Equal((DeadLetterReason.Unreadable, 0), (letter.Reason, letter.Attempts));
            Assert.Equal(letter.Number, (await bus.DeadLetters.FindAsync(letter.Id, cancel))!.Number);
            Assert.True(await bus.DeadLetters.RetryAsync(letter.Id, cancel));
        }

        IReadOnlyList<DeadLetter> again = [];
        while (again.Count(letter => letter.ManualRetries == 1) < 2)
        {
            await alerts.NextAsync("both dead letters were retried and cannot be read");
            again = await bus.DeadLetters.ListAsync(cancellationToken: cancel);
        }

        Assert.All(again, letter => Assert.Equal(DeadLetterReason.Unreadable, letter.Reason));
    }

    [Fact]
    public void PublishOptions_AtTheirBounds_ArriveUnchanged()
    {
        var headers = Enumerable.Range(0, 16).ToDictionary(i => $"h{i}", _ => new string('漢', 1_000), StringComparer.Ordinal);

        var envelope = new Envelope(
            Plain with { Id = new string('漢', 128), CorrelationId = new string('漢', 128), Key = new string('漢', 256), Headers = headers },
            []);

        Assert.Null(envelope.Defect);
    }

    [Fact]
    public async Task PublishOptions_ThatNoReaderAccepts_AreRefused()
    {
        string[] texts = ["a\u2028b", "a\ud800b", "a\u0085b"];
        await using var bus =
            await RunningBus.StartAsync(bus => bus.UseInMemory().Subscribe<OrderPlaced>("mail", (_, _, _) => Task.CompletedTask));

        foreach (var options in texts.SelectMany(text => new[]
        {
            new PublishOptions { EventId = text },
            new PublishOptions { CorrelationId = text },
            new PublishOptions { Key = text }
        }))
        {
            var refused = await Assert.ThrowsAsync<PublishException>(
                () => bus.Bus.PublishAsync(new OrderPlaced("1"), options, TestContext.Current.CancellationToken));
            Assert.Equal(PublishFailure.Rejected, refused.Failure);
        }
    }

    private static string Long(int length) => new('x', length);

    private static EnvelopeAttributes With(string attribute, string value) => attribute switch
    {
        "id" => Plain with { Id = value },
        "type" => Plain with { Name = value },
        "partitionkey" => Plain with { Key = value },
        "correlationid" => Plain with { CorrelationId = value },
        "causationid" => Plain with { CausationId = value },
        "source" => Plain with { Source = value },
        "datacontenttype" => Plain with { ContentType = value },
        _ => Plain with { TraceState = value },
    };

    private static void AssertWithinBounds(Envelope envelope)
    {
        string?[] texts = [
            envelope.Id,
            envelope.Name,
            envelope.Key,
            envelope.CorrelationId,
            envelope.CausationId,
            envelope.Source,
            envelope.ContentType,
            envelope.TraceState,
            envelope.Defect
        ];
        Assert.All(texts.OfType<string>(), text => Assert.True(text.Length <= 1_024 && EnvelopeLimits.IndexOfForbidden(text) < 0, text));
        Assert.InRange(envelope.Headers.Count, 0, 64);
        Assert.InRange(
            envelope.Headers.Sum(header => Encoding.UTF8.GetByteCount(header.Key) + Encoding.UTF8.GetByteCount(header.Value)),
            0,
            65_536);
        Assert.Equal(
            (true, true, true),
            (envelope.Name.Length <= 200, envelope.ContentType.Length <= 255, envelope.TraceState is not { Length: > 512 }));
    }
}
