using System.ComponentModel.DataAnnotations;

namespace EventBus;

/// <summary>Declares that a text is null or a <see cref="LinkTemplate"/>.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class LinkTemplateAttribute : ValidationAttribute
{
    protected override ValidationResult? IsValid(object? value, ValidationContext validationContext) =>
        value is null || (value is string text && LinkTemplate.Matches(text))
            ? null
            : new ValidationResult($"{validationContext.DisplayName} is '{value}'; {LinkTemplate.Allowed} are allowed.");
}
