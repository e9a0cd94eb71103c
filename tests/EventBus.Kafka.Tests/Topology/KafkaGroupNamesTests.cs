namespace EventBus.Kafka.Tests;

/// <summary>Tests the names of consumer groups: two different pairs never have one name.</summary>
public sealed class KafkaGroupNamesTests
{
    [Theory]
    [InlineData("shop", "mail", "shop.mail")]
    [InlineData("shop", "mail.fast", "shop.mail.fast")]
    [InlineData("shop.eu", "mail", "shop.eu:mail")]
    public void Of_PlainNames_IsReadable(string service, string subscription, string expected) =>
        Assert.Equal(expected, KafkaGroupNames.Of(service, subscription));

    [Fact]
    public void Of_AllPairsOfShortNames_AreDifferent()
    {
        string[] parts = [.. Names("ab.-:#", 3)];

        var groups = parts.SelectMany(service => parts.Select(subscription => KafkaGroupNames.Of(service, subscription))).ToList();

        Assert.Equal(groups.Count, groups.Distinct(StringComparer.Ordinal).Count());
    }

    [Fact]
    public void PeriodsOf_AGroup_IsTheGroupOfNoSubscription()
    {
        string[] parts = [.. Names("a.:#!", 3), "a!periods"];

        var groups = parts.SelectMany(service => parts.Select(subscription => KafkaGroupNames.Of(service, subscription))).ToHashSet();

        Assert.Empty(groups.Select(KafkaGroupNames.PeriodsOf).Intersect(groups));
    }

    [Fact]
    public void PrefixOf_AService_BeginsItsGroups()
    {
        Assert.StartsWith(KafkaGroupNames.PrefixOf("shop"), KafkaGroupNames.Of("shop", "mail"), StringComparison.Ordinal);
        Assert.StartsWith(KafkaGroupNames.PrefixOf("shop.eu"), KafkaGroupNames.Of("shop.eu", "mail"), StringComparison.Ordinal);
    }

    private static IEnumerable<string> Names(string characters, int longest) => longest == 0
        ? []
        : Names(characters, longest - 1)
            .Where(name => name.Length == longest - 1)
            .SelectMany(name => characters.Select(character => name + character))
            .Concat(longest == 1 ? characters.Select(character => $"{character}") : Names(characters, longest - 1));
}
